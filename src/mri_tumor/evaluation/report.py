"""The result of an evaluation: figures with intervals, as text, HTML, JSON and plots."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from mri_tumor.evaluation import answers, render, storage
from mri_tumor.evaluation.drawing import Drawing
from mri_tumor.evaluation.inputs import ScoredImages
from mri_tumor.evaluation.points import adjusted_values
from mri_tumor.files import write_whole


@dataclass(frozen=True, eq=False)
class EvaluationReport(Drawing):
    """Figures of a model on a set of images, with intervals.

    Made by `evaluate_predictions`. With two classes the figures at the top (`precision`,
    `recall`, ...) have the tumor as the positive class; with more they are macro averages over
    the classes that are in the data. `tumor` is tumor or not in both. A figure that is not
    defined, such as the recall of a class without images, is None. A refused image counts as
    wrong in every figure.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes.
    negative_class : str
        The class without a tumor.
    threshold : float
        Smallest P(tumor) that was called a tumor.
    n_images, n_groups, n_refused, n_unknown_subtype : int
        Images in all, their groups, those without an answer, and those that are known as a
        tumor only.
    grouped : bool
        True if groups were given; else each image was taken as independent.
    figures : mapping
        Figures in [0, 1] or None, nested as in `to_dict`.
    intervals : mapping
        Pairs of ends, nested as `figures`; None where there is no interval.
    n_bootstrap, seed : int
        Number of resamples and their seed.
    confidence : float
        Confidence of the intervals.
    confusion_matrix : tuple of tuple of int, shape (n_classes, n_classes)
        Images of known class: true classes in rows, called classes in columns.
    refused_by_class : tuple of int
        Images of each class without an answer, which the matrix leaves out.
    tumor_confusion_matrix : tuple of tuple of int, shape (2, 2)
        The same for no tumor and tumor, all images.
    calibration : mapping or None
        Calibration of the images that were answered.
    images : ScoredImages or None
        The images themselves; None in a report read from a file without them.

    Examples
    --------
    >>> from mri_tumor import evaluate_predictions
    >>> rows = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]
    >>> labels = ["notumor", "tumor", "tumor", "tumor"]
    >>> report = evaluate_predictions(labels, rows, classes=["notumor", "tumor"], n_bootstrap=0)
    >>> report.n_images, round(report.sensitivity, 3)
    (4, 0.667)
    >>> report.confusion_matrix
    ((1, 0), (1, 2))
    """

    classes: tuple[str, ...]
    negative_class: str
    threshold: float
    n_images: int
    n_groups: int
    n_refused: int
    n_unknown_subtype: int
    grouped: bool
    figures: Mapping[str, Any] = field(repr=False)
    intervals: Mapping[str, Any] = field(repr=False)
    n_bootstrap: int
    confidence: float
    seed: int
    confusion_matrix: tuple[tuple[int, ...], ...]
    refused_by_class: tuple[int, ...]
    tumor_confusion_matrix: tuple[tuple[int, ...], ...]
    calibration: Mapping[str, Any] | None = None
    images: ScoredImages | None = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EvaluationReport):
            return NotImplemented
        return self.to_dict(include_images=True) == other.to_dict(include_images=True)

    __hash__ = None  # type: ignore[assignment]

    @property
    def n_images_by_class(self) -> dict[str, int]:
        """Images of each class, tumors of unknown subtype left out."""
        matrix, refused = self.confusion_matrix, self.refused_by_class
        return {name: sum(matrix[i]) + refused[i] for i, name in enumerate(self.classes)}

    def predictive_values(self, *, prevalence: float) -> dict[str, Any]:
        """Turn sensitivity and specificity into predictive values at another prevalence.

        Parameters
        ----------
        prevalence : float
            Share of tumors where the model is to be used, in [0, 1].

        Returns
        -------
        dict
            prevalence, ppv, npv and their intervals. The ends take those of sensitivity and
            specificity together, so the intervals are a little too wide rather than too
            narrow. None where there are no tumors or no healthy images.

        Raises
        ------
        ParameterError
            If the prevalence is outside of [0, 1].
        """
        return adjusted_values(
            (self.tumor["sensitivity"], self.tumor["specificity"]),
            (
                self.intervals["tumor"]["sensitivity"],
                self.intervals["tumor"]["specificity"],
            ),
            prevalence=prevalence,
        )

    def most_confused(self, *, at_least: int = 1) -> list[tuple[str, str, int]]:
        """List the pairs of classes that were mixed up most.

        Parameters
        ----------
        at_least : int, default=1
            Leave out pairs with fewer images.

        Returns
        -------
        list of tuple
            True class, class called, and number of images, most first.
        """
        pairs = [
            (true, called, self.confusion_matrix[i][j])
            for i, true in enumerate(self.classes)
            for j, called in enumerate(self.classes)
            if i != j and self.confusion_matrix[i][j] >= max(1, at_least)
        ]
        return sorted(pairs, key=lambda pair: -pair[2])

    def worst(self, n: int = 10) -> list[dict[str, Any]]:
        """List the wrong answers that were most certain.

        Parameters
        ----------
        n : int, default=10
            How many images at most. Refused images are left out.

        Returns
        -------
        list of dict
            file, label, predicted, probability of the class called, and index of the image.

        Raises
        ------
        ParameterError
            If the report was read from a file without its images.
        """
        return answers.worst(self.require_images(), self.threshold, n)

    def least_certain(self, n: int = 10) -> list[dict[str, Any]]:
        """List the answers with the lowest probability of the class called.

        Parameters
        ----------
        n : int, default=10
            How many images at most. Refused images are left out.

        Returns
        -------
        list of dict
            file, label, predicted, probability of the class called, and index of the image.

        Raises
        ------
        ParameterError
            If the report was read from a file without its images.
        """
        return answers.least_certain(self.require_images(), self.threshold, n)

    def __str__(self) -> str:
        return render.as_text(self)

    def _repr_html_(self) -> str:
        return render.as_html(self)

    def to_dict(self, *, include_images: bool = False) -> dict[str, Any]:
        """Turn the report into plain numbers, lists and dictionaries.

        Parameters
        ----------
        include_images : bool, default=False
            Add the label, the probabilities and the file's name of each image, from which
            plots can be drawn later.

        Returns
        -------
        dict
            What JSON can hold; figures that are not defined are None.
        """
        return storage.to_plain(self, include_images=include_images)

    def to_json(self, *, include_images: bool = False, indent: int | None = 2) -> str:
        """Write the report as JSON text; see `to_dict`."""
        return json.dumps(
            self.to_dict(include_images=include_images), indent=indent, allow_nan=False
        )

    def save(self, path: str | PathLike[str], *, include_images: bool = True) -> None:
        """Write the report to a JSON file.

        Parameters
        ----------
        path : str or path
            The file.
        include_images : bool, default=True
            See `to_dict`.
        """
        text = self.to_json(include_images=include_images) + "\n"
        write_whole(Path(path), lambda file: file.write(text.encode()))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "EvaluationReport":
        """Read what `to_dict` wrote.

        Parameters
        ----------
        plain : mapping
            As from `to_dict`.

        Returns
        -------
        EvaluationReport
            The same report.

        Raises
        ------
        DataError
            If something is missing or is not what it should be.
        """
        return storage.from_plain(cls, plain)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "EvaluationReport":
        """Read a JSON file that `save` wrote.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        EvaluationReport
            The same report.

        Raises
        ------
        DataError
            If the file cannot be read or is not an evaluation.
        """
        return cls.from_dict(storage.read_json(path))
