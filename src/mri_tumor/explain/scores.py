"""Find what a classifier's last activation is, and read the scores from before it.

Why before it: the gradient of a softmax or sigmoid output p is p (1 - p) times that of its logit.
Where the model is sure, that factor is zero in float32, the map is all zero or NaN, and the gradient
of one class mixes in all others. The logit has neither trouble, and the papers on class activation
maps define their maps on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mri_tumor.explain.graph import Graph, Step

_SQUASHING = ("softmax", "sigmoid")


@dataclass(frozen=True, eq=False)
class Head:
    """Where a model's raw scores are.

    Parameters
    ----------
    number : int
        The value to start from.
    dense : keras.layers.Dense or None
        Layer whose linear part turns that value into logits; None where it holds them already.
    activation : {"softmax", "sigmoid", "linear", "unknown"}
        What turns logits into probabilities. Unknown: the output is taken as it is for both.
    """

    number: int
    dense: Any
    activation: str


def read_head(graph: Graph) -> Head:
    """Peel the last activation off a model.

    Layers that do nothing in inference (dropout, identity, a linear activation) are skipped. An
    activation or softmax layer is left out; a dense layer's own activation is undone by computing
    its linear part from its input.

    Parameters
    ----------
    graph : Graph
        The classifier.

    Returns
    -------
    Head
        Where to read the logits.
    """
    number = graph.output
    step = graph.producer(number)
    while step is not None and _does_nothing(step):
        number = step.inputs[0]
        step = graph.producer(number)
    kind = "unknown" if step is None else _activation(step)
    if step is None or kind == "unknown":
        return Head(graph.output, None, "unknown")
    if kind == "linear":
        return Head(number, None, "linear")
    return Head(step.inputs[0], step.operation if _is_dense(step) else None, kind)


def _is_dense(step: Step) -> bool:
    import keras

    # A quantised layer's stored kernel is not the one that it multiplies by.
    plain = isinstance(step.operation, keras.layers.Dense)
    return plain and step.operation.quantization_mode is None


def _does_nothing(step: Step) -> bool:
    import keras

    idle = keras.layers.Identity | keras.layers.Dropout
    linear = isinstance(step.operation, keras.layers.Activation) and (
        step.operation.activation is keras.activations.linear
    )
    return isinstance(step.operation, idle) or linear


def _activation(step: Step) -> str:
    import keras

    operation = step.operation
    if isinstance(operation, keras.layers.Softmax):
        return "softmax"
    if not (_is_dense(step) or isinstance(operation, keras.layers.Activation)):
        # keras.ops.softmax(x) and keras.ops.sigmoid(x) are operations, not layers.
        name = type(operation).__name__.lower()
        return name if name in _SQUASHING else "unknown"
    known = {
        keras.activations.softmax: "softmax",
        keras.activations.sigmoid: "sigmoid",
        keras.activations.linear: "linear",
    }
    return known.get(operation.activation, "unknown")


def read_scores(head: Head, values: dict[int, Any]) -> tuple[Any, Any]:
    """Compute scores and probabilities, one column per class.

    Parameters
    ----------
    head : Head
        Where to read.
    values : dict of int to tensor
        What :meth:`Graph.run` gave.

    Returns
    -------
    scores, probabilities : tensor of float32, shape (n, n_classes)
        A single unit becomes two classes: its logit z is the score of class 1, and -z that of
        class 0.
    """
    import tensorflow as tf

    raw = values[head.number]
    if head.dense is not None:
        # In float32 also under mixed precision: gradients of the score should not be rounded.
        raw = tf.linalg.matmul(tf.cast(raw, tf.float32), tf.cast(head.dense.kernel, tf.float32))
        if head.dense.use_bias:
            raw += tf.cast(head.dense.bias, tf.float32)
    raw = tf.cast(raw, tf.float32)
    single = raw.shape[-1] == 1
    if head.activation == "unknown":
        if single:
            return tf.concat([0.5 - raw, raw - 0.5], axis=-1), tf.concat([1.0 - raw, raw], axis=-1)
        return raw, raw
    if single:
        positive = tf.sigmoid(raw)
        return tf.concat([-raw, raw], axis=-1), tf.concat([1.0 - positive, positive], axis=-1)
    if head.activation == "sigmoid":
        return raw, tf.sigmoid(raw)
    return raw, tf.nn.softmax(raw)


def select(scores: Any, probabilities: Any, mask: Any, summed: Any) -> tuple[Any, Any, Any]:
    """Pick the score that is explained.

    Parameters
    ----------
    scores, probabilities : tensor of float32, shape (n, n_classes)
        From :func:`read_scores`.
    mask : tensor of bool, shape (n, n_classes)
        The classes that the target is about.
    summed : tensor of bool, shape (n,)
        Take them together, not the likeliest one.

    Returns
    -------
    score : tensor of float32, shape (n,)
        The class's logit, or, of several classes together, the log of the sum of their exponentials:
        the logit that they would have as one class.
    probability : tensor of float32, shape (n,)
        The class's probability, or the sum of theirs.
    chosen : tensor of int64, shape (n,)
        Index of the mask's likeliest class.
    """
    import tensorflow as tf

    masked = tf.where(mask, scores, tf.fill(tf.shape(scores), scores.dtype.min / 2))
    chosen = tf.argmax(masked, axis=-1)
    one = tf.gather(scores, chosen, batch_dims=1)
    score = tf.where(summed, tf.reduce_logsumexp(masked, axis=-1), one)
    kept = tf.where(mask, probabilities, tf.zeros_like(probabilities))
    total = tf.reduce_sum(kept, axis=-1)
    probability = tf.where(summed, total, tf.gather(probabilities, chosen, batch_dims=1))
    return score, probability, chosen
