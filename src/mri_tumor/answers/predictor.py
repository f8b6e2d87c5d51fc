"""What everything that answers for images has in common, whatever runs its network."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from mri_tumor.answers.volumes import rows_of_scans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.answers.engine import Answering
    from mri_tumor.assessment import Assessment
    from mri_tumor.images.scans import Scan
    from mri_tumor.images.stream import Picture


class PredictsFromImages:
    """Labels, probabilities and assessments of images.

    A class that has it provides `_answering` and ``classes_``.
    """

    classes_: NDArray[np.str_]

    @abstractmethod
    def _answering(self, threshold: float | None = None) -> Answering:
        """Return what answers, with another threshold if one is given.

        Raises
        ------
        NotFittedError
            If there is no model yet.
        """

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the calibrated probability of each class; nothing is refused.

        Parameters
        ----------
        X : paths, array or data set
            Images.

        Returns
        -------
        ndarray of float64, shape (n_images, n_classes)
            Rows sum to 1; columns in the order of `classes_`.

        Raises
        ------
        ImageError
            If an image cannot be read.
        NotFittedError
            If there is no model yet.
        """
        return self._answering().probabilities(X)

    def predict(self, X: Any, *, threshold: float | None = None) -> NDArray[np.str_]:
        """Return the label of each image; nothing is refused.

        Parameters
        ----------
        X : paths, array or data set
            Images.
        threshold : float, optional
            Smallest probability of a tumour that counts as one, instead of the model's own.

        Returns
        -------
        ndarray of str, shape (n_images,)
            The negative class where the probability of a tumour lies below the threshold,
            else the likeliest tumour class.

        Raises
        ------
        ImageError
            If an image cannot be read.
        NotFittedError
            If there is no model yet.
        """
        answering = self._answering(threshold)
        return self.classes_[answering.rule.decide(answering.probabilities(X))]

    def assess(self, X: Any, *, threshold: float | None = None) -> list[Assessment]:
        """Say of every image what it shows, or why that cannot be said; never raise for one.

        Parameters
        ----------
        X : paths, array or data set
            Images.
        threshold : float, optional
            Smallest probability of a tumour that counts as one, instead of the model's own.

        Returns
        -------
        list of Assessment
            One per image, in order.

        Raises
        ------
        NotFittedError
            If there is no model yet.
        """
        return list(self.assess_each(X, threshold=threshold))

    def assess_each(self, X: Any, *, threshold: float | None = None) -> Iterator[Assessment]:
        """Yield what `assess` returns, one image after the other, in bounded memory.

        Parameters
        ----------
        X : paths, array, data set, or an iterator of paths or arrays
            Images; an iterator is taken as it comes, and may be longer than memory or endless.
        threshold : float, optional
            Smallest probability of a tumour that counts as one, instead of the model's own.

        Yields
        ------
        Assessment
            One per image, in order.
        """
        yield from self._answering(threshold).assess_each(X)

    def assess_stream(
        self, pictures: Iterable[Picture], *, threshold: float | None = None
    ) -> Iterator[tuple[Picture, Assessment]]:
        """Yield pictures with what `assess_each` says of them, in bounded memory.

        Parameters
        ----------
        pictures : iterable of Picture
            Images by name, each with what reads it; taken at most two batches ahead.
        threshold : float, optional
            Smallest probability of a tumour that counts as one, instead of the model's own.

        Yields
        ------
        picture : Picture
            As it was given.
        assessment : Assessment
            What it shows.
        """
        yield from self._answering(threshold).assess_stream(pictures)

    def assess_scans(
        self, scans: Iterable[Scan], *, threshold: float | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield rows for images and volumes, as `find_scans` finds them, in bounded memory.

        Parameters
        ----------
        scans : iterable of Scan
            Images and volumes, in order.
        threshold : float, optional
            Smallest probability of a tumour that counts as one, instead of the model's own.

        Yields
        ------
        list of dict
            One row for an image; for a volume one for each slice, and one for the volume.
        """
        answering = self._answering(threshold)
        pictures = (picture for scan in scans for picture in scan.pictures())
        yield from rows_of_scans(answering.assess_stream(pictures), answering.rule)
