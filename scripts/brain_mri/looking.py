"""Teach a network where the tumor is, by its own head laid on every cell of the last feature map.

The head reads the mean over the cells. Laid on one cell it says what that cell shows, and there
it is told: *tumor* where a lesion covers the cell, *no tumor* where none does, on scans of ill
people as well. So a source, whose look is all over the picture, cannot stand in for its label.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# A cell covered by less shows no tumor, by more one; in between nothing is asked.
_NONE, _TUMOR = 0.02, 0.3
_EPSILON = 1e-6


class LookingLoss(keras.layers.Layer):
    """Add a loss for the cells of each image, and pass its first input on.

    Parameters
    ----------
    weight : float
        Weight of the loss beside that of the images.
    negative : int
        Index of the class without a tumor.
    """

    def __init__(self, weight: float, negative: int) -> None:
        super().__init__()
        self.weight, self.negative = weight, negative

    def call(self, outputs: Any, cells: Any, cover: Any) -> Any:
        """Take outputs (n, c), each cell's (n, a, b, c), and covers (n, a, b), -1 if unknown."""
        tumor = 1 - cells[..., self.negative]
        highest = ops.max(cover, axis=(1, 2), keepdims=True)
        # The cell that holds most of a small lesion shows it.
        shows = ops.logical_and(cover > _NONE, ops.logical_or(cover > _TUMOR, cover >= highest))
        clear = ops.logical_and(cover >= 0, cover <= _NONE)
        found = _mean(-ops.log(tumor + _EPSILON), shows)
        quiet = _mean(-ops.log(1 - tumor + _EPSILON), clear)
        self.add_loss(self.weight * ops.mean(found + quiet))
        return outputs


def _mean(values: Any, chosen: Any) -> Any:
    """Return the mean of the chosen cells of each image, 0 where there are none."""
    kept = ops.cast(chosen, values.dtype)
    return ops.sum(values * kept, axis=(1, 2)) / ops.maximum(ops.sum(kept, axis=(1, 2)), 1.0)


def add_looking(
    model: keras.Model, whole: keras.Model, *, weight: float, negative: int
) -> keras.Model:
    """Return the open part of a network with the loss of its cells.

    Parameters
    ----------
    model : keras.Model
        The open part, from features to probabilities.
    whole : keras.Model
        The network it is a part of.
    weight : float
        Weight of the loss beside that of the images.
    negative : int
        Index of the class without a tumor.

    Returns
    -------
    keras.Model
        Takes features and the covered part of each cell; shares all layers.
    """
    features = keras.Input(model.input_shape[1:], name="features")
    tail = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    cells = tail(features)
    cover = keras.Input(cells.shape[1:3], name="cover")
    pooled = whole.get_layer("pool")(cells)
    head = [whole.get_layer(name) for name in ("hidden", "dropout", "probabilities")]
    outputs, each = pooled, cells
    for layer in head:
        outputs, each = layer(outputs), layer(each)
    outputs = LookingLoss(weight, negative)(outputs, each, cover)
    return keras.Model([features, cover], outputs)
