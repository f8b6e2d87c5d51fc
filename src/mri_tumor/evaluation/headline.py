"""The figures of a report as attributes."""

from collections.abc import Mapping
from typing import Any


class Headline:
    """Read-only names for what `figures` holds."""

    classes: tuple[str, ...]
    figures: Mapping[str, Any]

    @property
    def accuracy(self) -> float | None:
        """Share of images that were given their class."""
        return self._figure("accuracy")

    @property
    def precision(self) -> float | None:
        """Share of the images called a class that are of it."""
        return self._figure("precision")

    @property
    def recall(self) -> float | None:
        """Share of the images of a class that were called it."""
        return self._figure("recall")

    @property
    def sensitivity(self) -> float | None:
        """The same as `recall`, by its name in medicine."""
        return self._figure("sensitivity")

    @property
    def specificity(self) -> float | None:
        """Share of the images of other classes that were not called this one."""
        return self._figure("specificity")

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return self._figure("f1")

    @property
    def auc(self) -> float | None:
        """Area under the ROC curve."""
        return self._figure("auc")

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean of the recalls of the classes."""
        return self._figure("balanced_accuracy")

    @property
    def coverage(self) -> float:
        """Share of the images that were not refused."""
        return float(self.figures["coverage"])

    @property
    def per_class(self) -> Mapping[str, Mapping[str, float | None]]:
        """Figures of each class against the rest."""
        return self.figures["per_class"]  # type: ignore[no-any-return]

    @property
    def macro(self) -> Mapping[str, float | None]:
        """Averages over the classes that are in the data."""
        return self.figures["macro"]  # type: ignore[no-any-return]

    @property
    def micro(self) -> Mapping[str, float | None]:
        """Figures of the classes' questions pooled."""
        return self.figures["micro"]  # type: ignore[no-any-return]

    @property
    def tumor(self) -> Mapping[str, float | None]:
        """Figures of tumor or not."""
        return self.figures["tumor"]  # type: ignore[no-any-return]

    @property
    def task(self) -> str:
        """Return "binary" or "multiclass"."""
        return "binary" if len(self.classes) == 2 else "multiclass"

    def _figure(self, name: str) -> float | None:
        return self.figures[name]  # type: ignore[no-any-return]
