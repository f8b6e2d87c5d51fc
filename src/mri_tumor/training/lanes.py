"""Which image goes into which place of which batch, whatever the number of workers.

A batch has as many places as it has rows. Every image belongs to one place for the whole
training, and a worker owns a run of places, so that each image is read, prepared and kept by one
worker only. What a batch holds does not depend on how many workers there are: two of them do the
same steps as one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mri_tumor.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# An empty place: its row of the batch counts for nothing.
GAP = -1


@dataclass(frozen=True, kw_only=True)
class Lanes:
    """The places of a batch, and the images that belong to each.

    Parameters
    ----------
    n_images : int
        Images of the training part.
    n_variants : int
        Variants of each.
    batch_size : int
        Rows of a batch, over all replicas.
    n_replicas : int
        Devices that share a batch.
    seed : int
        Seed of the places and the order.

    Raises
    ------
    ParameterError
        If some replica would have no image.
    """

    n_images: int
    n_variants: int
    batch_size: int
    n_replicas: int
    seed: int

    def __post_init__(self) -> None:
        if min(self.batch_size, self.n_images) <= self.width * (self.n_replicas - 1):
            message = (
                f"strategy: {self.n_replicas} replicas cannot share batches of {self.batch_size} "
                f"out of {self.n_images} images. Use fewer of them, or a larger batch_size."
            )
            raise ParameterError(message)

    @property
    def width(self) -> int:
        """How many places each replica has; the last may have empty ones."""
        return math.ceil(self.batch_size / self.n_replicas)

    @property
    def steps(self) -> int:
        """How many batches make an epoch, in which each variant of each image comes once."""
        return self.n_variants * math.ceil(self.n_images / self.batch_size)

    @cached_property
    def _images(self) -> NDArray[np.intp]:
        """Return the images in the order in which they are dealt out to the places."""
        return np.random.default_rng(self.seed).permutation(self.n_images)

    def images_of(self, replicas: range) -> NDArray[np.intp]:
        """Return the images that some replicas own, in rising order.

        Parameters
        ----------
        replicas : range
            Which ones, of `n_replicas`.

        Returns
        -------
        ndarray of int
            Positions in the training part.
        """
        return np.sort(
            np.concatenate([self._images_at(place) for place in self._places(replicas)])
        )

    def order(self, epoch: int, replicas: range) -> NDArray[np.intp]:
        """Return the rows that some replicas take in each batch of an epoch.

        Parameters
        ----------
        epoch : int
            Which epoch, from 0.
        replicas : range
            Which replicas.

        Returns
        -------
        ndarray of int, shape (steps, width * len(replicas))
            ``variant * n_images + image``; `GAP` where a place is empty.
        """
        return np.stack([self._order_at(place, epoch) for place in self._places(replicas)], axis=1)

    def counts(self, epoch: int) -> NDArray[np.intp]:
        """Return how many rows each batch of an epoch has, over all replicas, shape (steps,)."""
        rows = self.order(epoch, range(self.n_replicas)) != GAP
        return np.asarray(rows.sum(axis=1))

    def _places(self, replicas: range) -> range:
        return range(replicas.start * self.width, replicas.stop * self.width)

    def _images_at(self, place: int) -> NDArray[np.intp]:
        if place >= self.batch_size:
            return np.zeros(0, np.intp)
        return self._images[place :: self.batch_size]

    def _order_at(self, place: int, epoch: int) -> NDArray[np.intp]:
        images = self._images_at(place)
        rows = np.full(self.steps, GAP, np.intp)
        every = np.arange(self.n_variants)[:, None] * self.n_images + images
        rows[: every.size] = every.ravel()
        # Gaps are shuffled along, so that no batch is much smaller than the others.
        return np.random.default_rng([self.seed, epoch, place]).permutation(rows)
