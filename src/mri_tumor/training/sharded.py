"""The images, the batches and the beginning of one process among several that train together."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from mri_tumor.errors import ParameterError
from mri_tumor.training.augmentation import Variants
from mri_tumor.training.checkpoint import read_state
from mri_tumor.training.lanes import GAP, Lanes
from mri_tumor.training.parallel import SharedTrainer, device_precision
from mri_tumor.training.pipeline import image_dataset
from mri_tumor.training.workers import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    from numpy.typing import NDArray

    from mri_tumor.errors import ImageError
    from mri_tumor.images.preprocessing import Geometry
    from mri_tumor.training.checkpoint import Checkpoint, State
    from mri_tumor.training.features import Features
    from mri_tumor.training.fitting import FitOptions, LabelledImages, StagePlan
    from mri_tumor.training.workers import Workers


@dataclass(frozen=True)
class ShardVariants(Variants):
    """Variants of a part of the images, the same as if all of them were there.

    Parameters
    ----------
    settings, policy, seed
        As in `Variants`.
    positions : tuple of int
        Where each image is among all.
    """

    positions: tuple[int, ...] = ()

    def __call__(
        self, image: NDArray[np.uint8], index: int, variant: int = 0
    ) -> tuple[NDArray[np.uint8], Geometry]:
        """Return the model input of one variant of the image at a position."""
        return super().__call__(image, self.positions[index] if variant else index, variant)

    def describe(self) -> dict[str, Any]:
        """Return what the variants depend on besides the images."""
        return {**super().describe(), "positions": fingerprint(np.array(self.positions))}


class Share:
    """What one process trains on.

    Parameters
    ----------
    workers : Workers
        All that train together.
    training, validation : LabelledImages
        All images, the same on each of them.
    variants : Variants
        Augmentation.
    options : FitOptions
        Batches and cache.

    Attributes
    ----------
    parts : dict of str to LabelledImages
        Its own images.
    variants : ShardVariants
        Their augmentation.
    trainer : SharedTrainer
        What takes the steps.

    Raises
    ------
    ParameterError
        If there are too few images for so many.
    """

    def __init__(
        self,
        workers: Workers,
        training: LabelledImages,
        validation: LabelledImages,
        variants: Variants,
        options: FitOptions,
    ) -> None:
        self.workers = workers
        augmented = options.cache and variants.policy is not None
        self.lanes = Lanes(
            n_images=len(training.images),
            n_variants=options.n_variants if augmented else 1,
            batch_size=options.batch_size,
            n_replicas=workers.n_replicas,
            seed=options.seed,
        )
        self.own = self.lanes.images_of(workers.own_replicas)
        judged = np.arange(len(validation.images))[workers.place :: workers.count]
        if len(validation.images) < workers.count:
            message = (
                f"strategy: {workers.count} workers cannot share {len(validation.images)} images "
                "of the validation part. Use fewer workers."
            )
            raise ParameterError(message)
        self.parts = {
            "training": _taken(training, self.own),
            "validation": _taken(validation, judged),
        }
        self.variants = ShardVariants(
            variants.settings, variants.policy, variants.seed, tuple(map(int, self.own))
        )
        self.trainer = SharedTrainer(
            workers, validation.targets, judged, precision=device_precision()
        )

    def batches(self, features: Features | None) -> SharedBatches:
        """Return the training batches, of cached activations or of fresh variants."""
        kind = FreshShare if features is None else FeatureShare
        return kind(self, features)

    def kept(self, checkpoint: Checkpoint | None) -> State | None:
        """Return the training as it was left; the chief has it, and tells the others."""
        content = self.workers.tell(checkpoint.content() if checkpoint else None)
        return read_state(io.BytesIO(content)) if content else None


def check_agreement(
    workers: Workers,
    model: keras.Model,
    plans: Sequence[StagePlan],
    parts: Sequence[LabelledImages],
    options: FitOptions,
) -> None:
    """Refuse to train where the processes were started with different settings or images.

    Raises
    ------
    WorkerError
        If they were.
    """
    names = "\n".join(Path(name).name for part in parts for name in part.images.names).encode()
    arrays = [array for part in parts for array in (part.targets, part.weights)]
    workers.agree(
        {
            "model": fingerprint(*model.get_weights()),
            "stages": [repr(plan) for plan in plans],
            "batch_size": options.batch_size,
            "n_variants": options.n_variants,
            "cache": options.cache,
            "seed": options.seed,
            "images": fingerprint(np.frombuffer(names, np.uint8), *arrays),
        }
    )


def _taken(part: LabelledImages, positions: NDArray[np.intp]) -> LabelledImages:
    return replace(
        part,
        images=part.images.subset(positions),
        targets=part.targets[positions],
        weights=part.weights[positions],
    )


class SharedBatches:
    """The rows of each batch that this process takes; subclasses say where inputs come from.

    Item `k` is (inputs, targets, weights, 1 where there is a row and 0 in a gap, rows of the
    batch over all processes).

    Parameters
    ----------
    share : Share
        Images, lanes and variants.
    features : Features or None
        Cached activations of the images.
    """

    def __init__(self, share: Share, features: Features | None) -> None:
        self.lanes, self.own = share.lanes, share.own
        self.part, self.variants = share.parts["training"], share.variants
        self.replicas, self.features = share.workers.own_replicas, features
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch."""
        order = self.lanes.order(epoch, self.replicas)
        self.there = order != GAP
        # Something has to stand in a gap; its weight is 0.
        order = np.where(self.there, order, self.own[0])
        self.variant, image = np.divmod(order, self.lanes.n_images)
        self.image = np.searchsorted(self.own, image)
        self.counts = self.lanes.counts(epoch)

    def __len__(self) -> int:
        return self.lanes.steps

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        image, there = self.image[index], self.there[index].astype(np.float32)
        targets, weights = self.part.targets[image], self.part.weights[image]
        return self.inputs(index), targets, weights, there, int(self.counts[index])

    def inputs(self, index: int) -> Any:
        """Return what goes into the network in one batch."""
        raise NotImplementedError


class FeatureShare(SharedBatches):
    """Batches of cached activations."""

    def inputs(self, index: int) -> Any:
        """Return the activations, one array or a tuple of them."""
        assert self.features is not None  # noqa: S101
        rows = self.variant[index] * self.features.n_images + self.image[index]
        values = [array[rows].astype(np.float32) for array in self.features.arrays]
        return values[0] if len(values) == 1 else tuple(values)


class FreshShare(SharedBatches):
    """Batches of freshly drawn variants, another one of each image every epoch."""

    def start_epoch(self, epoch: int) -> None:
        """Draw order and variants of an epoch."""
        super().start_epoch(epoch)
        self.errors: list[ImageError] = []
        stream = image_dataset(
            self.part.images,
            self.variants,
            order=self.image.ravel(),
            variant=epoch + 1,
            errors=self.errors,
        )
        self._iterator = iter(stream.batch(self.image.shape[1]).prefetch(2))

    def inputs(self, index: int) -> Any:  # noqa: ARG002
        """Return the next images; they are asked for in order."""
        _, values = next(self._iterator)
        if self.errors:
            raise self.errors[0]
        return tf.cast(values, tf.float32)
