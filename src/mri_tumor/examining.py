"""Measure a classifier, and show where it looks."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.data.overlap import SeenImages
from mri_tumor.data.splits import LeakWarning
from mri_tumor.images.collection import as_collection, prepared_batches
from mri_tumor.labelled import fingerprints, groups_of, kept, labelled
from mri_tumor.training.targets import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras
    from numpy.typing import ArrayLike, NDArray

    from mri_tumor.answers.engine import Answering
    from mri_tumor.answers.rule import DecisionRule
    from mri_tumor.data.overlap import Overlap
    from mri_tumor.evaluation import EvaluationReport
    from mri_tumor.explain.heatmap import Heatmap
    from mri_tumor.images.preprocessing import Geometry, Preprocessing


class Examines:
    """Evaluation and heatmaps of a fitted classifier."""

    classes_: NDArray[np.str_]
    negative_class_: str
    rule_: DecisionRule
    data_: dict[str, Any]
    model_: keras.Model
    preprocessing_: Preprocessing
    seed: int
    predict: Callable[..., NDArray[np.str_]]
    _answering: Callable[..., Answering]
    _require_model: Callable[[], NDArray[np.str_]]

    def evaluate(
        self,
        X: Any,
        y: Sequence[str] | None = None,
        *,
        groups: ArrayLike | None = None,
        threshold: float | None = None,
        n_bootstrap: int = 1000,
    ) -> EvaluationReport:
        """Measure the model on labelled images, with intervals.

        An image that is refused or cannot be read counts as wrong, and as not covered. A
        `LeakWarning` tells if the model was trained or calibrated on some of them.

        Parameters
        ----------
        X : paths, array or data set
            Images that the model was not trained on.
        y : sequence of str, optional
            Their labels; a data set brings its own.
        groups : array_like, shape (n_images,), optional
            Patient or near-duplicate group of each image, for the intervals.
        threshold : float, optional
            Instead of the model's own.
        n_bootstrap : int, default=1000
            Resamples for the intervals; 0 for none.

        Returns
        -------
        EvaluationReport
            Prints, plots, and writes JSON.

        Raises
        ------
        DataError
            If labels are missing or not known to the model.
        NotFittedError
            If there is no model yet.
        """
        from mri_tumor.evaluation import evaluate_predictions

        self._require_model()
        X = kept(X)
        images, labels = labelled(X, y)
        encode(labels, self.classes_, self.negative_class_)
        if seen := self.overlap(X):
            warnings.warn(str(seen), LeakWarning, stacklevel=2)
        rows, refused = self._answering().answers(images)
        return evaluate_predictions(
            labels,
            rows,
            classes=[str(name) for name in self.classes_],
            negative_class=self.negative_class_,
            threshold=self.rule_.threshold if threshold is None else threshold,
            groups=groups_of(X, groups, len(images)),
            refused=refused,
            files=images.names,
            n_bootstrap=n_bootstrap,
            seed=self.seed,
        )

    def score(self, X: Any, y: Sequence[str] | None = None, sample_weight: Any = None) -> float:
        """Return the accuracy, as scikit-learn's classifiers do.

        Parameters
        ----------
        X : paths, array or data set
            Images that the model was not trained on.
        y : sequence of str, optional
            Their labels; a data set brings its own.
        sample_weight : array_like of float, shape (n_images,), optional
            How much each image counts.

        Returns
        -------
        float
            Share of the images that are called as their label says, in [0, 1]. Where the label is
            ``"tumor"``, every tumour class is right.

        Raises
        ------
        DataError
            If labels are missing or unknown, or are more or fewer than the images.
        ImageError
            If an image cannot be read.
        NotFittedError
            If there is no model yet.
        """
        self._require_model()
        images, labels = labelled(X, y)
        allowed, called = (
            encode(names, self.classes_, self.negative_class_)
            for names in (labels, list(self.predict(images)))
        )
        several = allowed.shape[1] > 1
        right = (allowed * called).any(axis=1) if several else (allowed == called)[:, 0]
        return float(np.average(right, weights=sample_weight))

    def overlap(self, X: Any) -> Overlap:
        """Count the images that the model was made with, near-copies included.

        Parameters
        ----------
        X : paths, array or data set
            Images; those that cannot be read are left out.

        Returns
        -------
        Overlap
            True where there are any.

        Raises
        ------
        NotFittedError
            If there is no model yet.
        """
        self._require_model()
        return SeenImages.from_dict(self.data_).overlap(fingerprints(X))

    def explain(
        self,
        X: Any,
        *,
        target: Any = "likeliest_tumor",
        method: str | None = None,
        **options: Any,
    ) -> list[Heatmap]:
        """Show where in each image the evidence for a class lies.

        Parameters
        ----------
        X : paths, array or data set
            Images.
        target : int, str, None or sequence, default="likeliest_tumor"
            A class by name or index; ``"tumor"`` for all tumour classes together; None for
            the likeliest class.
        method : str, optional
            Name of an explanation method; by default ``"layer_cam"`` over the layers of strides
            8, 16 and 32, whose peaks lie in the tumor more often than those of the last layer's
            Grad-CAM (`benchmarks/explain_boxes.py`).
        **options
            Passed on to the method.

        Returns
        -------
        list of Heatmap
            One per image, in the pixels of the image as given.

        Raises
        ------
        ImageError
            If an image cannot be read.
        ParameterError
            If the target or the method is not known.
        NotFittedError
            If there is no model yet.
        """
        from mri_tumor.explain import explain_batch, get_method
        from mri_tumor.explain.prepared import explain_images

        classes = [str(name) for name in self._require_model()]
        if method is None:
            method = "layer_cam"
            if options.get("layer") is None:
                options.setdefault("strides", "fine")
        name = get_method(method).__name__
        explained = partial(
            explain_batch,
            self.model_,
            method=name,
            class_names=classes,
            negative_class=self.negative_class_,
            **options,
        )
        return explain_images(
            explained, as_collection(X), self.preprocessing_, target=target, method=name
        )

    def prepare(
        self, X: Any
    ) -> tuple[NDArray[np.float32], list[Geometry], list[NDArray[np.uint8]]]:
        """Turn images into the model's input.

        Parameters
        ----------
        X : paths, array or data set
            Images.

        Returns
        -------
        values : ndarray of float32, shape (n_images, size, size, 3)
            Model input in [0, 255].
        geometries : list of Geometry
            Where each input lies in its image.
        originals : list of ndarray of uint8, shape (h, w)
            The decoded images.

        Raises
        ------
        ImageError
            If an image cannot be read.
        """
        self._require_model()
        values: list[NDArray[np.uint8]] = []
        geometries: list[Geometry] = []
        originals: list[NDArray[np.uint8]] = []
        for batch in prepared_batches(as_collection(X), self.preprocessing_):
            for error in batch.errors.values():
                raise error
            values.append(batch.values)
            geometries += batch.geometries
            originals += batch.originals
        return np.concatenate(values).astype(np.float32), geometries, originals
