"""Activations at the cut, computed once for all epochs and kept outside of memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from mri_tumor.files import reserve
from mri_tumor.images.collection import ImageCollection, prepared_batches
from mri_tumor.progress import progress_bar
from mri_tumor.training.compiled import quick_function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mri_tumor.training.augmentation import Variants

_BATCH = 32


@dataclass(frozen=True)
class Features:
    """What the frozen part gives for every variant of every image.

    Parameters
    ----------
    arrays : tuple of ndarray of float16, each of shape (n_variants * n_images, ...)
        One per tensor that crosses the cut; the variants of image i are rows i, n + i, ....
    n_images : int
        Number of images.
    """

    arrays: tuple[NDArray[np.float16], ...]
    n_images: int

    @property
    def n_variants(self) -> int:
        """How many variants of each image there are."""
        return len(self.arrays[0]) // self.n_images


def features_size(frozen: keras.Model, n_rows: int) -> int:
    """Return the bytes that the activations of so many images take."""
    return sum(2 * n_rows * math.prod(map(int, tensor.shape[1:])) for tensor in frozen.outputs)


def compute_features(
    frozen: keras.Model,
    images: ImageCollection,
    variants: Variants,
    *,
    n_variants: int,
    folder: Path,
    run: Callable[..., list[NDArray[Any]]] | None = None,
    show_progress: bool = False,
    description: str = "Computing features",
) -> Features:
    """Run the frozen part over all variants of all images, once.

    Parameters
    ----------
    frozen : keras.Model
        From model inputs to the tensors that cross the cut.
    images : ImageCollection
        The images; all must be readable.
    variants : Variants
        Prepares them.
    n_variants : int
        Variants per image, at least 1; the first is the image itself.
    folder : Path
        Existing folder for the memory-mapped arrays.
    run : callable, optional
        `quick_function` of `frozen`, where it is compiled already.
    show_progress : bool, default=False
        Show a bar on the terminal.
    description : str, default="Computing features"
        Text before the bar.

    Returns
    -------
    Features
        Memory-mapped activations in half precision.

    Raises
    ------
    ImageError
        If an image cannot be read.
    OSError
        If the disk has no room for them.
    """
    n_images = len(images)
    shapes = [tuple(tensor.shape[1:]) for tensor in frozen.outputs]
    arrays = [
        np.lib.format.open_memmap(
            folder / f"activations-{i}.npy",
            mode="w+",
            dtype=np.float16,
            shape=(n_variants * n_images, *shape),
        )
        for i, shape in enumerate(shapes)
    ]
    for i in range(len(arrays)):
        reserve(folder / f"activations-{i}.npy")
    run = run or quick_function(frozen, n_rows=n_variants * n_images)
    with progress_bar(description, n_variants * n_images, show=show_progress) as advance:
        for variant in range(n_variants):
            batches = prepared_batches(
                images,
                variants.settings,
                batch_size=_BATCH,
                prepare=partial(variants, variant=variant),
            )
            for batch in batches:
                for error in batch.errors.values():
                    raise error
                rows = slice(
                    variant * n_images + batch.indices[0],
                    variant * n_images + batch.indices[-1] + 1,
                )
                for array, values in zip(arrays, run(batch.values), strict=True):
                    array[rows] = values
                advance(len(batch.indices))
    for array in arrays:
        array.flush()
    return Features(tuple(arrays), n_images)


def load_features(folder: Path, n_images: int) -> Features:
    """Open activations that `compute_features` wrote and that are complete.

    Parameters
    ----------
    folder : Path
        Where they are.
    n_images : int
        Number of images.

    Returns
    -------
    Features
        Memory-mapped, as they were.
    """
    files = sorted(folder.glob("activations-*.npy"), key=lambda path: int(path.stem.split("-")[1]))
    return Features(tuple(np.load(file, mmap_mode="r") for file in files), n_images)


def continue_features(model: keras.Model, parts: Mapping[str, Features]) -> dict[str, Features]:
    """Run cached activations through more frozen layers.

    Parameters
    ----------
    model : keras.Model
        From the tensors that cross the cut to one tensor.
    parts : mapping of str to Features
        The activations of each part, by name.

    Returns
    -------
    dict of str to Features
        In memory, half precision: a few kilobytes for each image.
    """
    n_rows = sum(len(found.arrays[0]) for found in parts.values())
    probe = [array[:2] for array in next(iter(parts.values())).arrays]
    run = quick_function(model, n_rows=n_rows, probe=probe)

    def through(features: Features) -> Features:
        batches = [
            run(*(array[start : start + _BATCH] for array in features.arrays))[0]
            for start in range(0, len(features.arrays[0]), _BATCH)
        ]
        return Features((np.concatenate(batches).astype(np.float16),), features.n_images)

    return {name: through(found) for name, found in parts.items()}


class FeatureBatches(keras.utils.PyDataset):
    """Shuffled batches over cached activations, the same for the same seed and epoch.

    Parameters
    ----------
    features : Features
        The activations.
    targets : ndarray of float32, shape (n_images, n_outputs)
        As `MarginalCrossentropy` takes them.
    weights : ndarray of float32, shape (n_images,)
        Weight of each image in the loss.
    batch_size : int
        Rows per batch.
    seed : int or None
        Seed of the order; None keeps the order of the images.
    """

    def __init__(
        self,
        features: Features,
        targets: NDArray[np.float32],
        weights: NDArray[np.float32],
        *,
        batch_size: int,
        seed: int | None,
    ) -> None:
        super().__init__()
        self.features, self.targets, self.weights = features, targets, weights
        self.batch_size, self.seed = batch_size, seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch."""
        rows = np.arange(len(self.features.arrays[0]))
        if self.seed is not None:
            rows = np.random.default_rng([self.seed, epoch]).permutation(rows)
        self.rows = rows

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        # Reading a memory map in rising order costs fewer seeks; order within a batch is free.
        rows = np.sort(self.rows[index * self.batch_size : (index + 1) * self.batch_size])
        values = [array[rows].astype(np.float32) for array in self.features.arrays]
        images = rows % self.features.n_images
        inputs = values[0] if len(values) == 1 else tuple(values)
        return inputs, self.targets[images], self.weights[images]
