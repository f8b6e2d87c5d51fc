"""Train a classifier's head, or the head and the last layers of its backbone."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from mri_tumor.model import open_layers, seeded, split_model
from mri_tumor.training.features import FeatureBatches, compute_features
from mri_tumor.training.loop import run_stage
from mri_tumor.training.pipeline import FreshBatches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.images.collection import ImageCollection
    from mri_tumor.training.augmentation import Variants
    from mri_tumor.training.loop import History, Stage


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
    n_variants : int, default=2
        Cached variants of each image: itself and ``n_variants - 1`` augmented ones.
    cache : bool, default=True
        Compute the frozen part once. False draws a fresh variant of each image every epoch.
    seed : int, default=0
        Seed of the order and the dropout.
    show_progress : bool, default=False
        Show bars and lines on the terminal.
    """

    batch_size: int = 32
    n_variants: int = 2
    cache: bool = True
    seed: int = 0
    show_progress: bool = False


def train_stage(
    model: keras.Model,
    stage: Stage,
    training: LabelledImages,
    validation: LabelledImages,
    variants: Variants,
    *,
    n_open: int,
    options: FitOptions,
    history: History,
) -> int:
    """Train the head and the last `n_open` layers of the backbone.

    Parameters
    ----------
    model : keras.Model
        A model from `build_model`; changed in place.
    stage : Stage
        Epochs, rate, patience.
    training, validation : LabelledImages
        What to learn from, and what to judge epochs by.
    variants : Variants
        Augmentation of the training images.
    n_open : int
        Layers of the backbone that learn; 0 for the head alone.
    options : FitOptions
        Batches and cache.
    history : dict
        Rows are appended to it.

    Returns
    -------
    int
        Index of the best epoch of the stage, from 0.

    Raises
    ------
    ImageError
        If an image cannot be read.
    """
    open_layers(model, n_open)
    split = split_model(model) if options.cache else None
    with seeded(options.seed):
        if split is None:
            return run_stage(
                model,
                stage,
                FreshBatches(training, variants, batch_size=options.batch_size),
                FreshBatches(validation, variants, batch_size=options.batch_size, plain=True),
                history=history,
                show_progress=options.show_progress,
            )
        with tempfile.TemporaryDirectory(prefix="mri-tumor-") as folder:
            batches: list[Any] = []
            parts = (("training", training), ("validation", validation))
            for name, part in parts:
                place = Path(folder) / name
                place.mkdir()
                learns = name == "training"
                augmented = learns and variants.policy is not None
                features = compute_features(
                    split.frozen,
                    part.images,
                    variants,
                    n_variants=options.n_variants if augmented else 1,
                    folder=place,
                    show_progress=options.show_progress,
                    description=f"Computing the frozen part, {name}",
                )
                batches.append(
                    FeatureBatches(
                        features,
                        part.targets,
                        part.weights,
                        batch_size=options.batch_size,
                        seed=options.seed if learns else None,
                    )
                )
            return run_stage(
                split.open,
                stage,
                *batches,
                history=history,
                show_progress=options.show_progress,
            )
