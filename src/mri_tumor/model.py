"""The graph: scaling, backbone, feature map and head; and how it is cut for training."""

from __future__ import annotations

import contextlib
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from mri_tumor.backbones.building import build_backbone, build_scaling
from mri_tumor.errors import BackboneError, ParameterError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from mri_tumor.backbones import BackboneSpec

FEATURE_MAP = "feature_map"


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Keras, NumPy and Python, and give the last two their state back afterwards.

    Parameters
    ----------
    seed : int
        Seed of the weights drawn inside.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def build_model(
    spec: BackboneSpec,
    *,
    n_classes: int,
    input_size: int | None = None,
    weights: str | os.PathLike[str] | None = "imagenet",
    hidden_units: int = 128,
    dropout: float = 0.5,
    seed: int = 0,
) -> keras.Model:
    """Build an untrained classifier on a backbone.

    Parameters
    ----------
    spec : BackboneSpec
        The backbone.
    n_classes : int
        Number of classes, at least 2. Two get one sigmoid unit (the probability of the second
        class), more a softmax.
    input_size : int, optional
        Side of the input in pixels; the backbone's own by default.
    weights : str, Path or None, default="imagenet"
        What the backbone starts from: a name in ``spec.weights``, a weights file, or None.
    hidden_units : int, default=128
        Units of the dense ReLU layer.
    dropout : float, default=0.5
        Share of hidden units dropped in training, in [0, 1).
    seed : int, default=0
        Seed of the weights that are drawn.

    Returns
    -------
    keras.Model
        Takes RGB in [0, 255] of shape (n, input_size, input_size, 3), float32; returns
        probabilities of shape (n, 1) or (n, n_classes). Its layer ``feature_map`` is the
        backbone's output.

    Raises
    ------
    ParameterError
        If a number is out of range.
    WeightsError
        If the weights cannot be had.
    BackboneError
        If the backbone cannot be built, its output is no feature map, or it holds what a saved
        model may not hold.
    """
    if n_classes < 2 or hidden_units < 1 or not 0 <= dropout < 1:
        message = (
            "A model needs at least 2 classes, 1 hidden unit and a dropout in [0, 1). Received: "
            f"n_classes={n_classes}, hidden_units={hidden_units}, dropout={dropout}"
        )
        raise ParameterError(message)
    size = input_size or spec.input_size
    with seeded(seed):
        backbone = build_backbone(spec, input_size=size, weights=weights)
        image = keras.Input((size, size, 3), name="image")
        values = image
        for layer in build_scaling(spec):
            values = layer(values)
        values = backbone(values)
        # Asking a nested model for an inner layer's output fails in Keras 3; an identity that
        # the outer graph owns does not.
        values = keras.layers.Identity(name=FEATURE_MAP)(values)
        values = keras.layers.GlobalAveragePooling2D(name="pool")(values)
        values = keras.layers.Dense(hidden_units, activation="relu", name="hidden")(values)
        values = keras.layers.Dropout(dropout, name="dropout")(values)
        units, activation = (1, "sigmoid") if n_classes == 2 else (n_classes, "softmax")
        output = keras.layers.Dense(units, activation=activation, name="probabilities")(values)
    # TensorFlow takes the name for a scope, in which few signs may stand.
    return keras.Model(
        image, output, name=re.sub(r"[^a-z0-9]+", "_", f"mri_tumor_{spec.name.lower()}")
    )


@dataclass(frozen=True)
class SplitModel:
    """A model cut in two at the boundary of what learns; both parts share its layers.

    Parameters
    ----------
    frozen : keras.Model
        From images to the tensors that cross the cut.
    open : keras.Model
        From those tensors to the probabilities.
    cut : str
        Name of the last layers whose outputs cross the cut.
    """

    frozen: keras.Model
    open: keras.Model
    cut: str


def open_layers(model: keras.Model, count: int) -> None:
    """Let the head and the last layers of the backbone learn, and freeze the rest.

    Batch normalisation stays frozen wherever it is: the statistics of 32 slices would spoil
    those that its weights were trained with.

    Parameters
    ----------
    model : keras.Model
        A model from `build_model`; changed in place.
    count : int
        How many of the backbone's last layers to open; 0 trains the head alone.

    Raises
    ------
    ParameterError
        If `count` is negative.
    """
    if count < 0:
        message = f"finetune layers must be 0 or more. Received: {count}"
        raise ParameterError(message)
    backbone = find_backbone(model)
    backbone.trainable = True
    first_open = max(0, len(backbone.layers) - count)
    for index, layer in enumerate(backbone.layers):
        layer.trainable = index >= first_open
        # Calling the backbone with `training=False` does not do it: a functional model passes
        # the outer call's `training` on to its layers (Keras 3.15).
        for norm in _normalizations(layer):
            norm.trainable = False


def _normalizations(layer: keras.layers.Layer) -> Iterator[keras.layers.BatchNormalization]:
    """Yield the batch normalisations in a layer, which may be a model itself."""
    if isinstance(layer, keras.layers.BatchNormalization):
        yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _normalizations(inner)


def find_backbone(model: keras.Model) -> keras.Model:
    """Return the nested backbone of a model from `build_model`.

    Raises
    ------
    BackboneError
        If the model holds none.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            return layer
    message = f"The model {model.name!r} holds no nested backbone; build it with TumorClassifier."
    raise BackboneError(message)


def split_model(model: keras.Model) -> SplitModel | None:
    """Cut a model where its learning layers begin, so that the rest is computed once.

    Parameters
    ----------
    model : keras.Model
        A model from `build_model`, after `open_layers`.

    Returns
    -------
    SplitModel or None
        None where there is nothing to compute once: all layers learn, or the backbone is no
        functional model.
    """
    backbone = find_backbone(model)
    head = _head_layers(model)
    if not any(layer.trainable_weights for layer in backbone.layers):
        pooled = [model.get_layer("pool").output]
        return SplitModel(
            keras.Model(model.input, pooled), _open_part(pooled, None, head[1:]), "pool"
        )
    if not hasattr(backbone, "_nodes_by_depth"):
        return None
    crossing, frozen_weights = _crossing_tensors(backbone)
    if not frozen_weights:
        return None
    inner = keras.Model(backbone.inputs, crossing)
    image = keras.Input(model.input_shape[1:], name="image")
    values = image
    for layer in model.layers[1 : model.layers.index(backbone)]:
        values = layer(values)
    frozen = keras.Model(image, inner(values))
    cut = "+".join(tensor._keras_history.operation.name for tensor in crossing)
    tail = keras.Model(_alone(crossing), backbone.output)
    return SplitModel(frozen, _open_part(crossing, tail, head), cut)


def model_between(model: keras.Model, split: SplitModel) -> keras.Model:
    """Return the part of a model from a cut to the pooled features before the head.

    Parameters
    ----------
    model : keras.Model
        The model that was cut.
    split : SplitModel
        Where.

    Returns
    -------
    keras.Model
        Takes the tensors that cross the cut, returns shape (n, channels); shares its layers.
    """
    tail = next(layer for layer in split.open.layers if isinstance(layer, keras.Model))
    inputs = [keras.Input(tensor.shape[1:]) for tensor in split.open.inputs]
    return keras.Model(_alone(inputs), model.get_layer("pool")(tail(_alone(inputs))))


def _head_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers after the feature map."""
    names = [layer.name for layer in model.layers]
    return list(model.layers[names.index(FEATURE_MAP) + 1 :])


def _open_part(
    crossing: list[keras.KerasTensor],
    tail: keras.Model | None,
    head: list[keras.layers.Layer],
) -> keras.Model:
    """Build the part that learns on inputs of its own, sharing its layers."""
    inputs = [keras.Input(tensor.shape[1:], name=f"cut_{i}") for i, tensor in enumerate(crossing)]
    values = inputs[0]
    if tail is not None:
        values = tail(_alone(inputs))
    for layer in head:
        values = layer(values)
    return keras.Model(_alone(inputs), values)


def _alone(tensors: list[Any]) -> Any:
    """Return a tensor that is alone as itself: Keras warns where a list of one was meant."""
    return tensors if len(tensors) > 1 else tensors[0]


def _crossing_tensors(backbone: keras.Model) -> tuple[list[keras.KerasTensor], int]:
    """Return the frozen tensors that layers which learn, or follow those, take as input.

    The second value counts the weights before them: with none, there is nothing to save.
    """
    frozen_weights = 0
    frozen = {id(tensor) for tensor in backbone.inputs}
    crossing: dict[int, keras.KerasTensor] = {}
    # Keras has no public way to walk the graph; depths fall from the inputs to the outputs.
    for depth in sorted(backbone._nodes_by_depth, reverse=True):
        for node in backbone._nodes_by_depth[depth]:
            if not node.input_tensors:
                continue
            learns = bool(getattr(node.operation, "trainable_weights", []))
            if not learns and all(id(tensor) in frozen for tensor in node.input_tensors):
                frozen.update(id(tensor) for tensor in node.output_tensors)
                frozen_weights += len(getattr(node.operation, "weights", []))
                continue
            for tensor in node.input_tensors:
                if id(tensor) in frozen:
                    crossing[id(tensor)] = tensor
    return list(crossing.values()), frozen_weights
