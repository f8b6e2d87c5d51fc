"""Read the weights that the closed form needs from a Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.explain.closed_form import PooledHead
from mri_tumor.explain.graph import Graph, read_graph

if TYPE_CHECKING:
    from mri_tumor.explain.graph import Step

_FORM = "global average pooling -> dense, ReLU -> (dropout) -> dense with softmax or sigmoid"


def read_pooled_head(model: Any) -> PooledHead:
    """Take the head's weights out of a model.

    Parameters
    ----------
    model : keras.Model
        A classifier, nested or not, that ends in *global average pooling -> dense, ReLU ->
        (dropout) -> dense*, as this library's do.

    Returns
    -------
    PooledHead
        Copies of the weights, for :func:`mri_tumor.explain.closed_form.closed_form_grad_cam`.

    Raises
    ------
    ParameterError
        If the model ends in another way, for which the closed form does not hold.
    """
    import keras

    graph = read_graph(model)
    last = _before(graph, graph.output)
    hidden = None if last is None else _before(graph, last.inputs[0])
    pool = None if hidden is None else _before(graph, hidden.inputs[0])
    steps = (last, hidden, pool)
    kinds = (keras.layers.Dense, keras.layers.Dense, keras.layers.GlobalAveragePooling2D)
    fits = all(
        step is not None and isinstance(step.operation, kind)
        for step, kind in zip(steps, kinds, strict=True)
    )
    if last is None or hidden is None or not fits:
        raise ParameterError(f"model: {graph.name!r} does not end in {_FORM}; use grad_cam")
    ends = (keras.activations.softmax, keras.activations.sigmoid, keras.activations.linear)
    if hidden.operation.activation is not keras.activations.relu or (
        last.operation.activation not in ends
    ):
        raise ParameterError(
            f"model: the dense layers of {graph.name!r} have other activations than in {_FORM}; "
            "use grad_cam"
        )
    return PooledHead(*_weights(hidden.operation), *_weights(last.operation))


def _before(graph: Graph, number: int) -> Step | None:
    """Return the step that made a value, past layers that do nothing in inference."""
    import keras

    step = graph.producer(number)
    while step is not None and isinstance(
        step.operation, keras.layers.Dropout | keras.layers.Identity
    ):
        step = graph.producer(step.inputs[0])
    return step


def _weights(dense: Any) -> tuple[Any, Any]:
    import keras

    # By way of a tensor: a Keras variable read directly trips over a NumPy 2 deprecation.
    kernel = np.array(keras.ops.convert_to_tensor(dense.kernel))
    if not dense.use_bias:
        return kernel, np.zeros(kernel.shape[1])
    return kernel, np.array(keras.ops.convert_to_tensor(dense.bias))
