"""Pictures of a report; the drawing itself is done in `mri_tumor.plots`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ImageError, ParameterError, suggestion
from mri_tumor.evaluation import answers
from mri_tumor.evaluation.calibration import ReliabilityCurve, reliability_curve
from mri_tumor.evaluation.curves import Curve, precision_recall_curve, roc_curve
from mri_tumor.evaluation.headline import Headline
from mri_tumor.evaluation.inputs import ScoredImages
from mri_tumor.images.messages import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TUMOR = "tumor or not"


class Drawing(Headline):
    """The `plot_` methods of a report. Each draws on `ax`, or in a new figure, and returns it."""

    confusion_matrix: tuple[tuple[int, ...], ...]
    refused_by_class: tuple[int, ...]
    threshold: float
    n_bootstrap: int
    confidence: float
    seed: int
    images: ScoredImages | None
    most_confused: Callable[..., list[tuple[str, str, int]]]

    def require_images(self) -> ScoredImages:
        """Return the images behind the figures, or say that they were not kept."""
        if self.images is None:
            msg = (
                "this report was read from a file without its images; save it with "
                "include_images=True, or evaluate again"
            )
            raise ParameterError(msg)
        return self.images

    def plot_confusion(self, *, ax: "Axes | None" = None) -> "Axes":
        """Draw the confusion matrix; see `mri_tumor.plots.plot_confusion_matrix`."""
        from mri_tumor.plots import plot_confusion_matrix

        return plot_confusion_matrix(
            self.confusion_matrix, self.classes, refused=self.refused_by_class, ax=ax
        )

    def roc_curves(self) -> dict[str, Curve]:
        """Trace the ROC curve of each question that has images on both sides.

        Returns
        -------
        dict of str to Curve
            Tumor or not, and with more than two classes each class against the rest.
        """
        return self._curves(roc_curve)

    def precision_recall_curves(self) -> dict[str, Curve]:
        """Trace the precision-recall curve of each question that has images on both sides.

        Returns
        -------
        dict of str to Curve
            As `roc_curves`.
        """
        return self._curves(precision_recall_curve)

    def reliability_curves(self, *, n_bins: int = 10) -> dict[str, ReliabilityCurve]:
        """Compare probabilities with what happened, on the images that were answered.

        Parameters
        ----------
        n_bins : int, default=10
            Number of equal-width bins.

        Returns
        -------
        dict of str to ReliabilityCurve
            P(tumor), and with more than two classes the probability of the likeliest class.
        """
        images = self.require_images()
        answered = ~images.refused
        curves = {}
        if answered.any():
            curves["P(tumor)"] = reliability_curve(
                images.is_tumor[answered], images.p_tumor[answered], n_bins=n_bins
            )
        typed = answered & images.typed
        if len(self.classes) > 2 and typed.any():
            p = images.probabilities[typed]
            right = p.argmax(axis=1) == images.truth[typed]
            curves["likeliest class"] = reliability_curve(right, p.max(axis=1), n_bins=n_bins)
        return curves

    def plot_roc(self, *, ax: "Axes | None" = None) -> "Axes":
        """Draw the ROC curves, and the threshold in use; see `mri_tumor.plots.plot_roc`."""
        from mri_tumor.plots import plot_roc

        found, cleared = self.tumor["sensitivity"], self.tumor["specificity"]
        point = None if found is None or cleared is None else (1 - cleared, found)
        return plot_roc(self.roc_curves(), point=point, ax=ax)

    def plot_precision_recall(self, *, ax: "Axes | None" = None) -> "Axes":
        """Draw the precision-recall curves; see `mri_tumor.plots.plot_precision_recall`."""
        from mri_tumor.plots import plot_precision_recall

        return plot_precision_recall(self.precision_recall_curves(), ax=ax)

    def plot_reliability(self, *, n_bins: int = 10, ax: "Axes | None" = None) -> "Axes":
        """Draw the reliability curves; see `mri_tumor.plots.plot_reliability`."""
        from mri_tumor.plots import plot_reliability

        return plot_reliability(self.reliability_curves(n_bins=n_bins), ax=ax)

    def plot_score_histogram(self, *, ax: "Axes | None" = None) -> "Axes":
        """Draw the spread of P(tumor); see `mri_tumor.plots.plot_score_histogram`."""
        from mri_tumor.plots import plot_score_histogram

        images = self.require_images()
        return plot_score_histogram(
            images.p_tumor, images.is_tumor, threshold=self.threshold, ax=ax
        )

    def plot_worst(
        self, n: int = 10, *, heatmaps: Sequence[Any] | None = None, ax: "Axes | None" = None
    ) -> "Axes":
        """Draw the wrong answers that were most certain; see `worst`.

        Parameters
        ----------
        n : int, default=10
            How many images at most.
        heatmaps : sequence, optional
            A heatmap for each of them, in the order of `worst(n)`.
        ax : matplotlib Axes, optional
            Axes to fill; by default those of a new figure.

        Returns
        -------
        matplotlib Axes
            The axes. A file that cannot be read any more leaves a gap.

        Raises
        ------
        ParameterError
            If there are no such images, or their files are not known.
        """
        images = self.require_images()
        return _sheet(answers.worst(images, self.threshold, n), heatmaps, ax)

    def plot_least_certain(
        self, n: int = 10, *, heatmaps: Sequence[Any] | None = None, ax: "Axes | None" = None
    ) -> "Axes":
        """Draw the least certain answers; see `least_certain` and `plot_worst`.

        Parameters
        ----------
        n : int, default=10
            How many images at most.
        heatmaps : sequence, optional
            A heatmap for each of them, in the order of `least_certain(n)`.
        ax : matplotlib Axes, optional
            Axes to fill; by default those of a new figure.

        Returns
        -------
        matplotlib Axes
            The axes.

        Raises
        ------
        ParameterError
            If there are no such images, or their files are not known.
        """
        images = self.require_images()
        return _sheet(answers.least_certain(images, self.threshold, n), heatmaps, ax)

    def plot_most_confused(
        self,
        n: int = 10,
        *,
        pair: tuple[str, str] | None = None,
        heatmaps: Sequence[Any] | None = None,
        ax: "Axes | None" = None,
    ) -> "Axes":
        """Draw images of the pair of classes that was mixed up most; see `most_confused`.

        Parameters
        ----------
        n : int, default=10
            How many images at most, the most certain first.
        pair : tuple of str, optional
            True class and class called, instead of the pair with most images.
        heatmaps : sequence, optional
            A heatmap for each of them, in the order of `confused(n, pair=pair)`.
        ax : matplotlib Axes, optional
            Axes to fill; by default those of a new figure.

        Returns
        -------
        matplotlib Axes
            The axes.

        Raises
        ------
        ParameterError
            If no image was mixed up so, or their files are not known.
        """
        return _sheet(self.confused(n, pair=pair), heatmaps, ax)

    def confused(
        self, n: int = 10, *, pair: tuple[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """List the images that `plot_most_confused` draws, as `worst` does; maybe none.

        Raises
        ------
        ParameterError
            If a class is not known, or the report was read from a file without its images.
        """
        images = self.require_images()
        if pair is None:
            pairs = self.most_confused()
            if not pairs:
                return []
            pair = pairs[0][:2]
        unknown = [name for name in pair if name not in self.classes]
        if unknown:
            hint = suggestion(unknown[0], self.classes)
            known = ", ".join(self.classes)
            raise ParameterError(f"pair: no class {unknown[0]!r}.{hint} Known: {known}.")
        return answers.confused(images, self.threshold, pair, n)

    def plot_scores_by_class(self, *, ax: "Axes | None" = None) -> "Axes":
        """Draw the spread of P(tumor); see `mri_tumor.plots.plot_scores_by_class`."""
        from mri_tumor.plots import plot_scores_by_class

        images = self.require_images()
        p = np.where(images.refused, np.nan, images.p_tumor)
        names = images.label_names()
        known = [name for name in (*self.classes, *sorted(set(names))) if name in names]
        return plot_scores_by_class(
            p, names, classes=list(dict.fromkeys(known)), threshold=self.threshold, ax=ax
        )

    def _curves(self, trace: Callable[..., Curve]) -> dict[str, Curve]:
        images = self.require_images()
        everything = np.ones(len(images), bool)
        questions = {TUMOR: (images.is_tumor, images.p_tumor, everything)}
        if len(self.classes) > 2:
            for index, name in enumerate(self.classes):
                if index != images.negative:
                    side = np.equal(images.truth, index)
                    questions[name] = (side, images.probabilities[:, index], images.typed)
        return {
            name: trace(
                side[kept],
                scores[kept],
                refused=images.refused[kept],
                groups=images.groups[kept],
                n_bootstrap=self.n_bootstrap,
                confidence=self.confidence,
                seed=self.seed,
            )
            for name, (side, scores, kept) in questions.items()
            if side[kept].any() and not side[kept].all()
        }


def _sheet(
    rows: list[dict[str, Any]], heatmaps: Sequence[Any] | None, ax: "Axes | None"
) -> "Axes":
    from mri_tumor.images import read_image
    from mri_tumor.plots import plot_images

    if not rows or rows[0]["file"] is None:
        msg = "there are no such images" if not rows else "no files were given to evaluate"
        raise ParameterError(f"{msg}: there is nothing to draw")
    pixels: list[Any] = []
    for row in rows:
        try:
            pixels.append(read_image(row["file"]))
        except ImageError:
            pixels.append(None)
    return plot_images(pixels, [_title(row) for row in rows], heatmaps=heatmaps, ax=ax)


def _title(row: dict[str, Any]) -> str:
    name = shown(str(row["file"]).replace("\\", "/").rsplit("/", 1)[-1])
    short = name if len(name) <= 24 else f"{name[:11]}…{name[-12:]}"
    if row["label"] == row["predicted"]:
        return f"{short}\n{row['label']}, rightly\np = {row['probability']:.3f}"
    return f"{short}\n{row['label']}\ncalled {row['predicted']}, {row['probability']:.3f}"
