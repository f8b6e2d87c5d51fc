"""Images streamed from disk as `tf.data`, in bounded memory."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from mri_tumor.errors import ImageError
    from mri_tumor.images.collection import ImageCollection
    from mri_tumor.training.augmentation import Variants
    from mri_tumor.training.fitting import LabelledImages


def image_dataset(
    images: ImageCollection,
    variants: Variants,
    *,
    order: Any = None,
    variant: int = 0,
    errors: list[ImageError] | None = None,
) -> tf.data.Dataset:
    """Stream prepared images in an order, decoding ahead of their use.

    No more images are in memory than are being decoded or wait in the short queue.

    Parameters
    ----------
    images : ImageCollection
        The images.
    variants : Variants
        Prepares them.
    order : array_like of int, optional
        Positions to yield, in this order; all by default.
    variant : int, default=0
        Which variant of each image; 0 is the image itself.
    errors : list, optional
        Collects the errors of images that could not be read, which come as black; without
        it the stream ends with the error's text in TensorFlow's own exception.

    Returns
    -------
    tf.data.Dataset
        Elements (position, values): int64 and uint8 of shape (size, size, 3).
    """
    size = variants.settings.size
    positions = np.arange(len(images)) if order is None else np.asarray(order, dtype=np.int64)

    def load(index: Any) -> Any:
        try:
            values, _ = variants(images.read(int(index)), int(index), variant)
        except ValueError as error:
            if errors is None:
                raise
            errors.append(error)  # type: ignore[arg-type]
            return np.zeros((size, size, 3), dtype=np.uint8)
        return values

    def element(index: Any) -> tuple[Any, Any]:
        values = tf.numpy_function(load, [index], tf.uint8, stateful=False)
        return index, tf.ensure_shape(values, (size, size, 3))

    stream = tf.data.Dataset.from_tensor_slices(positions.astype(np.int64))
    return stream.map(element, num_parallel_calls=os.cpu_count() or 1)


class FreshBatches(keras.utils.PyDataset):
    """Batches of freshly drawn variants, another one of each image every epoch.

    Parameters
    ----------
    part : LabelledImages
        Images, targets and weights.
    variants : Variants
        Prepares the images; its seed and the epoch decide order and variants.
    batch_size : int
        Images per batch.
    plain : bool, default=False
        The images themselves in their own order, for validation.
    """

    def __init__(
        self, part: LabelledImages, variants: Variants, *, batch_size: int, plain: bool = False
    ) -> None:
        super().__init__()
        self.part, self.variants = part, variants
        self.batch_size, self.plain = batch_size, plain
        self.errors: list[ImageError] = []
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw order and variants of an epoch."""
        order = np.arange(len(self.part.images))
        if not self.plain:
            order = np.random.default_rng([self.variants.seed, epoch]).permutation(order)
        stream = image_dataset(
            self.part.images,
            self.variants,
            order=order,
            variant=0 if self.plain else epoch + 1,
            errors=self.errors,
        )
        self._stream = stream.batch(self.batch_size).prefetch(2)
        self._iterator = iter(self._stream)

    def __len__(self) -> int:
        return math.ceil(len(self.part.images) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        # Keras asks for 0, 1, 2, ...; validation starts again without a new epoch.
        if index == 0:
            self._iterator = iter(self._stream)
        positions, values = next(self._iterator)
        if self.errors:
            raise self.errors[0]
        rows = positions.numpy()
        inputs = tf.cast(values, tf.float32)
        return inputs, self.part.targets[rows], self.part.weights[rows]
