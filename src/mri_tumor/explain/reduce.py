"""Pieces of the methods that run inside the compiled pass."""

from __future__ import annotations

from typing import Any


def positive_sum(terms: Any) -> tuple[Any, Any]:
    """Sum terms over the channels and keep what is positive.

    Parameters
    ----------
    terms : tensor of float32, shape (n, a, b, channels)
        Each channel's share of the score in each cell.

    Returns
    -------
    maps : tensor of float32, shape (n, a, b)
        Evidence, at least 0.
    size : tensor of float32, shape (n,)
        Largest sum of absolute terms in a cell, by which rounding is told from evidence.
    """
    import tensorflow as tf

    size = tf.reduce_max(tf.reduce_sum(tf.abs(terms), axis=-1), axis=(1, 2))
    return tf.nn.relu(tf.reduce_sum(terms, axis=-1)), size
