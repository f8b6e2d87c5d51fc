"""What a network gives besides probabilities: its feature map, and what a gate looks at."""

from __future__ import annotations

import keras

from mri_tumor.errors import BackboneError
from mri_tumor.model import FEATURE_MAP, find_backbone


def answering_model(model: keras.Model, *, gate_layer: str | None = None) -> keras.Model:
    """Return a model with all outputs that answers are made of.

    Parameters
    ----------
    model : keras.Model
        A model from `build_model`.
    gate_layer : str, optional
        Layer of the backbone whose pooled output a gate looks at; several are joined by ``+``.

    Returns
    -------
    keras.Model
        Gives probabilities (n, n_outputs), the feature map (n, rows, columns, channels) and,
        with a `gate_layer`, its features (n, 1, channels). No two have as many dimensions, so
        that they can be told apart whatever order a runtime gives them in. Shares its layers.

    Raises
    ------
    BackboneError
        If the backbone has no layer of such a name.
    """
    if gate_layer is None:
        return keras.Model(model.input, [model.output, model.get_layer(FEATURE_MAP).output])
    backbone = find_backbone(model)
    known = {layer.name for layer in backbone.layers}
    names = gate_layer.split("+")
    for name in names:
        if name not in known:
            message = (
                f"The backbone of {model.name!r} has no layer {name!r}, which the gate looks at."
            )
            raise BackboneError(message)
    # An inner layer's output belongs to the inner graph: both are built anew on one input.
    looked_at = [backbone.get_layer(name).output for name in names]
    both = keras.Model(backbone.inputs, [backbone.output, *looked_at])
    image = keras.Input(model.input_shape[1:], name="image")
    values = image
    outer = [layer.name for layer in model.layers]
    for layer in model.layers[1 : outer.index(backbone.name)]:
        values = layer(values)
    values, *inner = both(values)
    pooled = [keras.layers.GlobalAveragePooling2D()(one) for one in inner]
    features = keras.layers.Concatenate()(pooled) if len(pooled) > 1 else pooled[0]
    features = keras.layers.Reshape((1, features.shape[-1]))(features)
    feature_map = model.get_layer(FEATURE_MAP)(values)
    values = feature_map
    for layer in model.layers[outer.index(FEATURE_MAP) + 1 :]:
        values = layer(values)
    return keras.Model(image, [values, feature_map, features])
