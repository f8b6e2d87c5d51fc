"""What the parameters of a training may be."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mri_tumor.errors import ParameterError


def check_parameters(given: Any) -> None:
    """Refuse parameters of a classifier that are of another kind or out of range.

    Parameters
    ----------
    given : TumorClassifier
        Has them as attributes.

    Raises
    ------
    ParameterError
        For the first that cannot be used, by its name.
    """
    whole, number = "a whole number, {} or more", "a number, {}"
    checks = {
        "epochs": (given.epochs is None or is_whole(given.epochs, 1), whole.format(1)),
        "finetune_epochs": (is_whole(given.finetune_epochs, 0), whole.format(0)),
        "finetune_layers": (
            given.finetune_layers is None or is_whole(given.finetune_layers, 0),
            whole.format(0),
        ),
        "hidden_units": (is_whole(given.hidden_units, 1), whole.format(1)),
        "n_variants": (is_whole(given.n_variants, 1), whole.format(1)),
        "batch_size": (is_whole(given.batch_size, 1), whole.format(1)),
        "patience": (is_whole(given.patience, 1), whole.format(1)),
        "learning_rate": (is_number(given.learning_rate, above=0), number.format("above 0")),
        "finetune_learning_rate": (
            is_number(given.finetune_learning_rate, above=0),
            number.format("above 0"),
        ),
        "focal_gamma": (is_number(given.focal_gamma, least=0), number.format("0 or more")),
        "validation_fraction": (
            is_number(given.validation_fraction, above=0, below=1),
            number.format("between 0 and 1"),
        ),
        "threshold": (
            is_number(given.threshold, least=0) and given.threshold <= 1,
            number.format("from 0 to 1"),
        ),
        "seed": (
            is_whole(given.seed, 0) and given.seed < 2**32,
            "a whole number from 0 to 4,294,967,295",
        ),
        "cache": (isinstance(given.cache, (bool, str, os.PathLike)), "True, False or a folder"),
        "weights": (
            given.weights is None or isinstance(given.weights, (str, os.PathLike)),
            "a name, a file or None",
        ),
    }
    for name, (good, wanted) in checks.items():
        if not good:
            raise ParameterError(f"{name}: must be {wanted}. Received: {getattr(given, name)!r}")


def is_whole(value: Any, least: int) -> bool:
    """Say whether a value is a whole number, no smaller than the least."""
    kind = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return bool(kind and value >= least)


def is_number(
    value: Any, *, least: float = -np.inf, above: float = -np.inf, below: float = np.inf
) -> bool:
    """Say whether a value is a number within its limits."""
    kind = isinstance(value, (int, float, np.integer, np.floating))
    return bool(kind and least <= value and above < value < below)
