"""Count the arithmetic of a network from its graph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras


def count_multiply_adds(model: keras.Model) -> int | None:
    """Count the multiply-adds of a model for one image.

    Counted are convolutions of all kinds and matrix products, which are nearly all there is;
    biases, normalisations, activations and pooling are not. One multiply-add is two
    floating-point operations (FLOPs): papers that call multiply-adds FLOPs give this figure,
    others twice as much.

    Parameters
    ----------
    model : keras.Model
        Any model with one input.

    Returns
    -------
    int or None
        Multiply-adds; None where a shape is known only when the model runs.

    Notes
    -----
    Layers are not looked at: a graph of TensorFlow has every operation, whoever wrote the layer,
    and each as often as it runs.

    Examples
    --------
    >>> import keras
    >>> layers = [keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3), keras.layers.Flatten(),
    ...           keras.layers.Dense(5)]
    >>> count_multiply_adds(keras.Sequential(layers))  # (2*2*2) * (3*3*3) + 8 * 5
    256
    """
    import tensorflow as tf
    from tensorflow.python.framework.func_graph import func_graph_from_py_func

    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    before = tf.config.functions_run_eagerly()
    # While a graph is drawn, this puts the bodies of functions in the place of their calls, whose
    # results would have no shape: Keras compiles grouped convolutions apart.
    tf.config.run_functions_eagerly(True)
    try:
        graph = func_graph_from_py_func(
            "multiply_adds", lambda values: model(values, training=False), [image], {}
        )
    finally:
        tf.config.run_functions_eagerly(before)
    try:
        return sum(
            _COUNTERS[operation.type](operation)
            for operation in graph.get_operations()
            if operation.type in _COUNTERS
        )
    except TypeError:  # a dimension that is None
        return None


def _shape(tensor: Any) -> list[int]:
    if tensor.shape.rank is None:
        raise TypeError
    return [int(size) for size in tensor.shape]


def _convolution(operation: Any) -> int:
    """Every output value sums over a window of the channels of its group."""
    kernel = _shape(operation.inputs[1])
    return math.prod(_shape(operation.outputs[0])) * math.prod(kernel[:-1])


def _depthwise(operation: Any) -> int:
    """Every output value sums over a window of one channel."""
    return math.prod(_shape(operation.outputs[0])) * math.prod(_shape(operation.inputs[1])[:2])


def _transposed(operation: Any) -> int:
    """Every input value is spread over a window of all output channels."""
    return math.prod(_shape(operation.inputs[2])) * math.prod(_shape(operation.inputs[1])[:-1])


def _product(operation: Any) -> int:
    left = _shape(operation.inputs[0])
    flag = "transpose_a" if operation.type == "MatMul" else "adj_x"
    inner = left[-2] if operation.get_attr(flag) else left[-1]
    return math.prod(_shape(operation.outputs[0])) * inner


def _einsum(operation: Any) -> int:
    equation = operation.get_attr("equation").decode()
    if "." in equation:
        raise TypeError  # what an ellipsis stands for is not worked out here
    sizes: dict[str, int] = {}
    for names, tensor in zip(
        equation.split("->")[0].replace(" ", "").split(","), operation.inputs, strict=True
    ):
        sizes.update(zip(names, _shape(tensor), strict=True))
    return math.prod(sizes.values()) if len(operation.inputs) > 1 else 0


_COUNTERS: dict[str, Callable[[Any], int]] = {
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Conv2DBackpropInput": _transposed,
    "MatMul": _product,
    "BatchMatMulV2": _product,
    "Einsum": _einsum,
}
