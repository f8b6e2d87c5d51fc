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


IMAGES = (0,)
"""The number of the images themselves among a classifier's values."""


def gradient_only(values: Any, gradients: Any) -> tuple[Any]:
    """Hand the gradient on as it is, shape (n, h, w, c)."""
    del values
    return (gradients,)


def largest_channel(values: Any, gradients: Any) -> tuple[Any]:
    """Return the largest absolute gradient over the colour channels, shape (n, h, w)."""
    import tensorflow as tf

    del values
    return (tf.reduce_max(tf.abs(gradients), axis=-1),)
