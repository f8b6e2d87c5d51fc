"""Train a classifier's head, or the head and the last layers of its backbone."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from mri_tumor.model import SplitModel, model_between, open_layers, seeded, split_model
from mri_tumor.progress import say
from mri_tumor.training.compiled import quick_function
from mri_tumor.training.failures import losses_in_words, memory_in_words
from mri_tumor.training.features import (
    FeatureBatches,
    Features,
    compute_features,
    continue_features,
    features_size,
    load_features,
)
from mri_tumor.training.identity import features_key
from mri_tumor.training.loop import run_stage
from mri_tumor.training.pipeline import FreshBatches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.caching import Cache
    from mri_tumor.images.collection import ImageCollection
    from mri_tumor.training.augmentation import Variants
    from mri_tumor.training.checkpoint import Checkpoint
    from mri_tumor.training.loop import History, Stage
    from mri_tumor.training.sharded import Share
    from mri_tumor.training.workers import Workers


@dataclass(frozen=True)
class LabelledImages:
    """Images with what the loss needs of them.

    Parameters
    ----------
    images : ImageCollection
        The images.
    targets : ndarray of float32, shape (n_images, n_outputs)
        As `MarginalCrossentropy` takes them.
    weights : ndarray of float32, shape (n_images,)
        Weight of each image in the loss.
    """

    images: ImageCollection
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a stage gets its batches.

    Parameters
    ----------
    batch_size : int, default=32
        Images per step.
    n_variants : int, default=4
        Cached variants of each image: itself and ``n_variants - 1`` augmented ones.
    cache : bool, default=True
        Compute the frozen part once. False draws a fresh variant of each image every epoch.
    store : Cache, optional
        Keeps the frozen part's activations for other runs; without it they last for this one.
    seed : int, default=0
        Seed of the order and the dropout.
    show_progress : bool, default=False
        Show bars and lines on the terminal.
    workers : Workers, optional
        Devices and machines that share the training.
    """

    batch_size: int = 32
    n_variants: int = 4
    cache: bool = True
    store: Cache | None = None
    seed: int = 0
    show_progress: bool = False
    workers: Workers | None = None


@dataclass(frozen=True)
class StagePlan:
    """A stage and what it opens.

    Parameters
    ----------
    stage : Stage
        Epochs, rate, patience.
    n_open : int
        Layers of the backbone that learn; 0 for the head alone.
    """

    stage: Stage
    n_open: int


def train_stages(
    model: keras.Model,
    plans: Sequence[StagePlan],
    training: LabelledImages,
    validation: LabelledImages,
    variants: Variants,
    *,
    options: FitOptions,
    history: History,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train a model in stages; what stays frozen in all of them is computed once.

    Parameters
    ----------
    model : keras.Model
        A model from `build_model`; changed in place.
    plans : sequence of StagePlan
        The stages in order.
    training, validation : LabelledImages
        What to learn from, and what to judge epochs by.
    variants : Variants
        Augmentation of the training images.
    options : FitOptions
        Batches and cache.
    history : dict
        Rows are appended to it.
    checkpoint : Checkpoint, optional
        Keeps the state of each epoch; what it holds is gone on with.

    Raises
    ------
    CheckpointError
        If the checkpoint is damaged.
    ImageError
        If an image cannot be read.
    MemoryError
        If there is too little memory.
    OSError
        If the disk is full.
    ParameterError
        If there are too few images for the workers.
    WorkerError
        If another worker is lost, or was started with other settings or images.
    """
    if options.workers is None:
        return _train(model, plans, [training, validation], variants, options, history, checkpoint)
    from mri_tumor.training.sharded import Share, check_agreement

    workers = options.workers
    options = replace(options, show_progress=options.show_progress and workers.is_chief)
    with losses_in_words():
        check_agreement(workers, model, plans, (training, validation), options)
        share = Share(workers, training, validation, variants, options)
        parts = [share.parts["training"], share.parts["validation"]]
        _train(model, plans, parts, share.variants, options, history, checkpoint, share)
    return None


def _train(  # noqa: PLR0917
    model: keras.Model,
    plans: Sequence[StagePlan],
    pair: list[LabelledImages],
    variants: Variants,
    options: FitOptions,
    history: History,
    checkpoint: Checkpoint | None,
    share: Share | None = None,
) -> None:
    """Do the work of `train_stages`, on the images of this process."""
    open_layers(model, max(plan.n_open for plan in plans))
    split = split_model(model) if options.cache else None
    parts = dict(zip(("training", "validation"), pair, strict=True))
    if share is not None:
        kept = share.kept(checkpoint)
    else:
        kept = checkpoint.state() if checkpoint else None
    if kept is not None:
        history.clear()
        history.update(kept.history)
    with (
        memory_in_words(),
        seeded(options.seed),
        tempfile.TemporaryDirectory(prefix="mri-tumor-") as folder,
    ):
        features: dict[str, Features] = {}
        if split is not None:
            n_rows = sum(
                _variants_of(name, variants, options) * len(part.images)
                for name, part in parts.items()
            )
            compiled = cache(partial(quick_function, split.frozen, n_rows=n_rows))
            for name, part in parts.items():
                features[name] = _features(
                    split.frozen, compiled, name, part, variants, options, Path(folder)
                )
        for index, plan in enumerate(plans):
            if kept is not None and index < kept.stage:
                continue
            open_layers(model, plan.n_open)
            learner, batches = _stage_input(
                model, split, features, parts, variants, options, share
            )
            run_stage(
                learner,
                plan.stage,
                *batches,
                history=history,
                show_progress=options.show_progress,
                checkpoint=checkpoint,
                index=index,
                kept=kept if kept is not None and index == kept.stage else None,
                trainer=share.trainer if share is not None else None,
            )


def _variants_of(name: str, variants: Variants, options: FitOptions) -> int:
    """Return how many variants of each image of a part are computed."""
    return options.n_variants if name == "training" and variants.policy is not None else 1


def _features(  # noqa: PLR0917
    frozen: keras.Model,
    compiled: Callable[[], Callable[..., list[NDArray[Any]]]],
    name: str,
    part: LabelledImages,
    variants: Variants,
    options: FitOptions,
    folder: Path,
) -> Features:
    """Return the activations of a part, as an earlier run left them if they are in the store."""
    n_variants = _variants_of(name, variants, options)
    store, key = options.store, None
    if store is not None and store.limit:
        key = features_key(frozen, part.images, variants, n_variants=n_variants)
    if store is not None and key is not None and (kept := store.find(key)) is not None:
        say(f"The frozen part, {name}: taken from {kept}", show=options.show_progress)
        return load_features(kept, len(part.images))
    n_bytes = features_size(frozen, n_variants * len(part.images))
    place: AbstractContextManager[Path] = nullcontext(folder / name)
    if store is not None and key is not None and store.has_room_for(n_bytes):
        about = {"images": len(part.images), "variants": n_variants, "part": name}
        place = store.new(key, n_bytes=n_bytes, about=about)
    with place as target:
        target.mkdir(exist_ok=True)
        return compute_features(
            frozen,
            part.images,
            variants,
            n_variants=n_variants,
            folder=target,
            run=compiled(),
            show_progress=options.show_progress,
            description=f"Computing the frozen part, {name}",
        )


def _stage_input(  # noqa: PLR0917
    model: keras.Model,
    cached: SplitModel | None,
    features: dict[str, Features],
    parts: dict[str, LabelledImages],
    variants: Variants,
    options: FitOptions,
    share: Share | None,
) -> tuple[keras.Model, list[Any]]:
    """Return what learns in a stage, and its batches of training and validation."""
    if cached is None:
        # Compiled on a view of it, so that the model is saved without its training.
        learner = keras.Model(model.inputs, model.outputs[0])
        batches: list[Any] = [
            FreshBatches(part, variants, batch_size=options.batch_size, plain=name == "validation")
            for name, part in parts.items()
        ]
    else:
        split = split_model(model)
        assert split is not None  # noqa: S101
        learner = split.open
        if split.cut != cached.cut:
            # The head alone learns: run the rest of the backbone over the cached tensors, once.
            rest = model_between(model, cached)
            features = continue_features(rest, features)
        batches = [
            FeatureBatches(
                features[name],
                part.targets,
                part.weights,
                batch_size=options.batch_size,
                seed=options.seed if name == "training" else None,
            )
            for name, part in parts.items()
        ]
    if share is not None:
        batches[0] = share.batches(features.get("training"))
    return learner, batches
