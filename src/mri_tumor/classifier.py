"""The classifier that users meet: a scikit-learn estimator over a pretrained backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from mri_tumor import persistence
from mri_tumor.assessment import Assessment, decide, failed, make_assessment
from mri_tumor.backbones import BackboneSpec, get_backbone
from mri_tumor.bundle import packaged_bundle
from mri_tumor.errors import DataError, NotFittedError, ParameterError
from mri_tumor.images.collection import ImageCollection, as_collection, prepared_batches
from mri_tumor.images.preprocessing import Geometry, Preprocessing
from mri_tumor.progress import progress_bar
from mri_tumor.training.augmentation import Policy, Variants, get_augmentation
from mri_tumor.training.targets import (
    cut_validation,
    encode,
    find_classes,
    image_weights,
    near_duplicate_groups,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from mri_tumor.evaluation import EvaluationReport
    from mri_tumor.explain.heatmap import Heatmap
    from mri_tumor.images.collection import PreparedBatch
    from mri_tumor.training.fitting import LabelledImages, StagePlan


# Most epochs of `finetune` unless told otherwise: the validation loss is flat by then.
FINETUNE_EPOCHS = 10


class TumorClassifier(ClassifierMixin, BaseEstimator):
    """Classify brain MRI slices by transfer learning.

    Research software, not a medical device.

    `fit` trains a head on a frozen backbone, `finetune` opens the backbone's last layers.
    Images are given as paths, as one array of shape (n, h, w) or (n, h, w, c), uint8 or
    float, as a list of arrays, or as a data set from `load_dataset`.

    Parameters
    ----------
    backbone : str or BackboneSpec, default="MobileNetV2"
        Name of a registered backbone; `list_backbones` lists them.
    weights : str, path or None, default="imagenet"
        What the backbone starts from: ``"imagenet"``, ``"brain-mri"`` (ships with the
        library), the path of a weights file, or None for random weights.
    input_size : int, optional
        Side of the model's input in pixels; the backbone's own by default.
    negative_class : str, optional
        The label that means *no tumour*; found by its name by default.
    hidden_units : int, default=128
        Units of the head's dense layer.
    dropout : float, default=0.5
        Share of them dropped in training, in [0, 1).
    augmentation : str, callable or None, default="standard"
        ``"standard"``: rotation, shifts, shear, zoom, horizontal flip. A callable takes a
        decoded grey image, the `Preprocessing` and a NumPy generator.
    n_variants : int, default=2
        Variants of each image to train on: itself and augmented ones.
    cache : bool, default=True
        Compute the frozen part once for all variants. False draws fresh variants every epoch
        and is many times slower.
    class_weight : "balanced", dict or None, default=None
        Weights of the labels in the loss.
    focal_gamma : float, default=0.0
        Exponent of the focal loss; 0 is cross-entropy.
    epochs : int, default=50
        Most epochs of `fit`.
    learning_rate : float, default=1e-4
        First learning rate of Adam in `fit`; it falls along a half cosine.
    finetune_epochs : int, default=0
        If positive, `fit` goes on to fine-tune for at most so many epochs, as
        cross-validation needs.
    finetune_layers : int, optional
        Layers of the backbone that `finetune` opens; the backbone's own number by default.
    finetune_learning_rate : float, default=5e-5
        First learning rate of `finetune`.
    patience : int, default=10
        Epochs without a lower validation loss before a stage ends.
    batch_size : int, default=32
        Images per step.
    validation_fraction : float, default=0.15
        Share of the training images, by group, that decides when to stop.
    threshold : float, default=0.5
        Smallest probability of a tumour that counts as one, in [0, 1].
    seed : int, default=0
        Seed of weights, order, dropout and variants: the same seed gives the same model.
    verbose : int, default=0
        1 shows progress on standard error.

    Attributes
    ----------
    classes_ : ndarray of str
        Classes in the order of `predict_proba`'s columns.
    model_ : keras.Model
        The network; its layer ``feature_map`` is the backbone's output.
    negative_class_ : str
        The class without a tumour.
    threshold_ : float
        The threshold in use.
    history_ : dict of str to list
        One entry per epoch: ``stage``, ``loss``, ``accuracy``, ``val_loss``,
        ``val_accuracy``, ``seconds``.

    Examples
    --------
    >>> from mri_tumor import TumorClassifier, load_dataset
    >>> data = load_dataset("scans/")  # doctest: +SKIP
    >>> clf = TumorClassifier().fit(data.train, validation_data=data.validation)  # doctest: +SKIP
    >>> print(clf.evaluate(data.test))  # doctest: +SKIP
    """

    def __init__(
        self,
        backbone: str | BackboneSpec = "MobileNetV2",
        *,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_size: int | None = None,
        negative_class: str | None = None,
        hidden_units: int = 128,
        dropout: float = 0.5,
        augmentation: str | Policy | None = "standard",
        n_variants: int = 2,
        cache: bool = True,
        class_weight: str | Mapping[str, float] | None = None,
        focal_gamma: float = 0.0,
        epochs: int = 50,
        learning_rate: float = 1e-4,
        finetune_epochs: int = 0,
        finetune_layers: int | None = None,
        finetune_learning_rate: float = 5e-5,
        patience: int = 10,
        batch_size: int = 32,
        validation_fraction: float = 0.15,
        threshold: float = 0.5,
        seed: int = 0,
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.input_size = input_size
        self.negative_class = negative_class
        self.hidden_units = hidden_units
        self.dropout = dropout
        self.augmentation = augmentation
        self.n_variants = n_variants
        self.cache = cache
        self.class_weight = class_weight
        self.focal_gamma = focal_gamma
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.finetune_epochs = finetune_epochs
        self.finetune_layers = finetune_layers
        self.finetune_learning_rate = finetune_learning_rate
        self.patience = patience
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.threshold = threshold
        self.seed = seed
        self.verbose = verbose

    # -- learning ---------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Sequence[str] | None = None,
        *,
        groups: ArrayLike | None = None,
        validation_data: Any = None,
    ) -> TumorClassifier:
        """Train a fresh model: the head, and the last layers if `finetune_epochs` is set.

        Parameters
        ----------
        X : paths, array or data set
            Training images.
        y : sequence of str, optional
            Label of each image; a data set brings its own. ``"tumor"`` beside other tumour
            classes means an unknown subtype.
        groups : array_like, shape (n_images,), optional
            Patient of each image. Near-duplicates are found and grouped without it.
        validation_data : data set or (X, y), optional
            Decides when to stop; by default a part of the training images, cut off by group.

        Returns
        -------
        TumorClassifier
            Itself.

        Raises
        ------
        DataError
            If labels are missing, unknown, or of one class only.
        ImageError
            If an image cannot be read.
        ParameterError
            If a parameter is out of range.
        WeightsError
            If the weights cannot be had here.
        """
        from mri_tumor.model import build_model

        self._check_parameters()
        images, labels = _labelled(X, y)
        classes, negative = find_classes(labels, _negative_of(X, self.negative_class))
        spec = get_backbone(self.backbone)
        size = self.input_size or spec.input_size
        model = build_model(
            spec,
            n_classes=len(classes),
            input_size=size,
            weights=self.weights,
            hidden_units=self.hidden_units,
            dropout=self.dropout,
            seed=self.seed,
        )
        self.classes_ = np.array(classes)
        self.negative_class_ = negative
        self.preprocessing_ = Preprocessing(size=size)
        self.backbone_ = spec
        self.threshold_ = float(self.threshold)
        self.history_: dict[str, list[Any]] = {}
        self.metrics_: dict[str, Any] = {}
        self.data_ = _describe_data(X, validation_data)
        self.model_ = model
        self._forget()
        parts = self._parts(images, labels, _groups_of(X, groups), validation_data)
        plans = [self._plan("head", self.epochs)]
        if self.finetune_epochs:
            plans.append(self._plan("finetune", self.finetune_epochs))
        self._train(plans, parts)
        return self

    def finetune(
        self,
        X: Any,
        y: Sequence[str] | None = None,
        *,
        groups: ArrayLike | None = None,
        validation_data: Any = None,
        epochs: int | None = None,
    ) -> TumorClassifier:
        """Go on training with the last layers of the backbone open, at a lower rate.

        Normalisation layers keep their statistics. If no epoch improves on the model as it
        was, by the validation loss, it stays as it was.

        Parameters
        ----------
        X, y, groups, validation_data
            As in `fit`; labels must be among the classes.
        epochs : int, optional
            Most epochs; `finetune_epochs` if that is set, else 10.

        Returns
        -------
        TumorClassifier
            Itself.

        Raises
        ------
        NotFittedError
            If there is no model yet.
        DataError, ImageError, ParameterError
            As in `fit`.
        """
        self._require_model()
        self._check_parameters()
        images, labels = _labelled(X, y)
        parts = self._parts(images, labels, _groups_of(X, groups), validation_data)
        plan = self._plan("finetune", epochs or self.finetune_epochs or FINETUNE_EPOCHS)
        self._train([plan], parts)
        return self

    def _plan(self, name: str, epochs: int) -> StagePlan:
        from mri_tumor.training.fitting import StagePlan
        from mri_tumor.training.loop import Stage

        tunes = name == "finetune"
        n_open = self.backbone_.finetune_layers if tunes else 0
        if tunes and self.finetune_layers is not None:
            n_open = self.finetune_layers
        stage = Stage(
            name=name,
            epochs=epochs,
            learning_rate=self.finetune_learning_rate if tunes else self.learning_rate,
            patience=self.patience,
            gamma=self.focal_gamma,
        )
        return StagePlan(stage, n_open)

    def _train(self, plans: list[StagePlan], parts: tuple[LabelledImages, LabelledImages]) -> None:
        from mri_tumor.training.fitting import FitOptions, train_stages

        train_stages(
            self.model_,
            plans,
            *parts,
            Variants(self.preprocessing_, get_augmentation(self.augmentation), self.seed),
            options=FitOptions(
                batch_size=self.batch_size,
                n_variants=self.n_variants,
                cache=self.cache,
                seed=self.seed,
                show_progress=bool(self.verbose),
            ),
            history=self.history_,
        )
        self._forget()

    def _parts(
        self,
        images: ImageCollection,
        labels: list[str],
        groups: NDArray[Any] | None,
        validation_data: Any,
    ) -> tuple[LabelledImages, LabelledImages]:
        """Return the training and the validation part as the loss takes them."""
        from mri_tumor.training.fitting import LabelledImages

        if validation_data is None:
            groups = near_duplicate_groups(images) if groups is None else groups
            if len(groups) != len(images):
                raise DataError(f"groups: {len(groups)} for {len(images)} images. Pass one each.")
            rows, held = cut_validation(
                labels, groups, fraction=self.validation_fraction, seed=self.seed
            )
            pairs = [(images.subset(part), [labels[i] for i in part]) for part in (rows, held)]
        else:
            given = validation_data if isinstance(validation_data, tuple) else (validation_data,)
            pairs = [(images, labels), _labelled(*given, name="validation_data")]
        negative = self.negative_class_
        # Validation images count alike, so that the best epoch means the same for any weights.
        weights = (image_weights(pairs[0][1], self.class_weight), np.ones(len(pairs[1][1]), "f"))
        parts = [
            LabelledImages(part, encode(names, self.classes_, negative), weight)
            for (part, names), weight in zip(pairs, weights, strict=True)
        ]
        return parts[0], parts[1]

    # -- answering --------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

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
        images = as_collection(X)
        rows = np.full((len(images), len(self._require_model())), np.nan)
        for batch, values in self._predicted(images):
            for error in batch.errors.values():
                raise error
            rows[list(batch.indices)] = values
        return rows

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Return the label of each image.

        Parameters
        ----------
        X : paths, array or data set
            Images.

        Returns
        -------
        ndarray of str, shape (n_images,)
            The negative class where the probability of a tumour lies below `threshold_`,
            else the likeliest tumour class.

        Raises
        ------
        ImageError
            If an image cannot be read.
        NotFittedError
            If there is no model yet.
        """
        rows = self.predict_proba(X)
        return self.classes_[decide(rows, **self._rule())]

    def assess(self, X: Any) -> list[Assessment]:
        """Say of every image what it shows, or why that cannot be said; never raise for one.

        Parameters
        ----------
        X : paths, array or data set
            Images.

        Returns
        -------
        list of Assessment
            One per image, in order.

        Raises
        ------
        NotFittedError
            If there is no model yet.
        """
        return list(self.assess_each(X))

    def assess_each(self, X: Any) -> Iterator[Assessment]:
        """Yield what `assess` returns, one image after the other, in bounded memory.

        Parameters
        ----------
        X : paths, array or data set
            Images.

        Yields
        ------
        Assessment
            One per image, in order.
        """
        images = as_collection(X)
        rule = self._rule()
        for batch, rows in self._predicted(images):
            answers = dict(zip(batch.indices, rows, strict=True))
            for index in sorted({*answers, *batch.errors}):
                name = images.names[index]
                if index in batch.errors:
                    yield failed(name, batch.errors[index])
                else:
                    yield make_assessment(name, answers[index], **rule)

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

        An image that cannot be read counts as wrong, and as not covered.

        Parameters
        ----------
        X : paths, array or data set
            Images that the model was not trained on.
        y : sequence of str, optional
            Their labels; a data set brings its own.
        groups : array_like, shape (n_images,), optional
            Patient or near-duplicate group of each image, for the intervals.
        threshold : float, optional
            Instead of `threshold_`.
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
        images, labels = _labelled(X, y)
        encode(labels, self.classes_, self.negative_class_)
        rows = np.full((len(images), len(self.classes_)), np.nan)
        refused = np.zeros(len(images), dtype=bool)
        for batch, values in self._predicted(images):
            rows[list(batch.indices)] = values
            refused[list(batch.errors)] = True
        return evaluate_predictions(
            labels,
            rows,
            classes=[str(name) for name in self.classes_],
            negative_class=self.negative_class_,
            threshold=self.threshold_ if threshold is None else threshold,
            groups=_groups_of(X, groups),
            refused=refused,
            files=images.names,
            n_bootstrap=n_bootstrap,
            seed=self.seed,
        )

    def explain(
        self,
        X: Any,
        *,
        target: Any = "likeliest_tumor",
        method: str = "grad_cam",
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
        method : str, default="grad_cam"
            Name of an explanation method.
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
        from mri_tumor.explain import Heatmap, get_method

        classes = [str(name) for name in self._require_model()]
        run = get_method(method).__wrapped__
        heatmaps: list[Heatmap] = []
        for batch in prepared_batches(as_collection(X), self.preprocessing_):
            for error in batch.errors.values():
                raise error
            found = run(
                self.model_,
                batch.values,
                target=target,
                class_names=classes,
                negative_class=self.negative_class_,
                **options,
            )
            heatmaps += [
                Heatmap(geometry.to_original(values), target=name, method=method, image=image)
                for values, name, geometry, image in zip(
                    found.maps, found.targets, batch.geometries, batch.originals, strict=True
                )
            ]
        return heatmaps

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

    # -- keeping ----------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, half_precision: bool = False) -> Path:
        """Save the model and all that is needed to use it, as a folder.

        Parameters
        ----------
        path : str or path
            Folder to write; an older model there is replaced, anything else is not.
        half_precision : bool, default=False
            Store the weights in half the space, as float16.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        BundleError
            If it cannot be written.
        NotFittedError
            If there is no model yet.
        """
        self._require_model()
        return persistence.save(self, path, half_precision=half_precision)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TumorClassifier:
        """Load a model that `save` wrote.

        Parameters
        ----------
        path : str or path
            Its folder.

        Returns
        -------
        TumorClassifier
            Ready to predict, and to fine-tune.

        Raises
        ------
        BundleError
            If it is missing, damaged, unsafe, or written by a newer library.
        """
        return persistence.load(cls, path)

    @classmethod
    def from_pretrained(cls, name: str = "brain-mri") -> TumorClassifier:
        """Load a model that ships with the library; no network is needed.

        Parameters
        ----------
        name : str, default="brain-mri"
            Name of the model.

        Returns
        -------
        TumorClassifier
            Ready to predict, and to fine-tune.

        Raises
        ------
        BundleError
            If none of that name ships.
        """
        return cls.load(packaged_bundle(name))

    # -- inside -----------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags

    def _require_model(self) -> NDArray[np.str_]:
        if not hasattr(self, "model_"):
            message = (
                "This TumorClassifier has no model yet. Call fit, or load one with "
                "TumorClassifier.load or TumorClassifier.from_pretrained."
            )
            raise NotFittedError(message)
        return self.classes_

    def _rule(self) -> dict[str, Any]:
        return {
            "classes": [str(name) for name in self._require_model()],
            "negative_class": self.negative_class_,
            "threshold": self.threshold_,
        }

    def _forget(self) -> None:
        """Drop the compiled graph, whose weights are constants, after the weights changed."""
        self._compiled: Any = None

    def _predicted(
        self, images: ImageCollection
    ) -> Iterator[tuple[PreparedBatch, NDArray[np.float64]]]:
        """Yield batches of images with their probabilities."""
        from mri_tumor.training.features import frozen_function

        self._require_model()
        if self._compiled is None:
            self._compiled = frozen_function(self.model_)
        with progress_bar("Predicting", len(images), show=bool(self.verbose)) as advance:
            for batch in prepared_batches(images, self.preprocessing_, batch_size=32):
                rows = np.zeros((0, len(self.classes_)))
                if batch.indices:
                    rows = np.asarray(self._compiled(batch.values)[0], dtype=np.float64)
                    rows = np.concatenate([1 - rows, rows], axis=1) if rows.shape[1] == 1 else rows
                    rows = rows / rows.sum(axis=1, keepdims=True)
                yield batch, rows
                advance(len(batch.indices) + len(batch.errors), "")

    def _check_parameters(self) -> None:
        """Refuse parameters out of range; scikit-learn asks for it here, not in __init__."""
        checks = {
            "epochs": (self.epochs >= 1, "1 or more"),
            "finetune_epochs": (self.finetune_epochs >= 0, "0 or more"),
            "n_variants": (self.n_variants >= 1, "1 or more"),
            "batch_size": (self.batch_size >= 1, "1 or more"),
            "patience": (self.patience >= 1, "1 or more"),
            "learning_rate": (self.learning_rate > 0, "positive"),
            "finetune_learning_rate": (self.finetune_learning_rate > 0, "positive"),
            "focal_gamma": (self.focal_gamma >= 0, "0 or more"),
            "validation_fraction": (0 < self.validation_fraction < 1, "between 0 and 1"),
            "threshold": (0 <= self.threshold <= 1, "from 0 to 1"),
            "seed": (self.seed >= 0, "0 or more"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise ParameterError(
                    f"{name}: must be {wanted}. Received: {getattr(self, name)!r}"
                )


def _labelled(
    X: Any, y: Sequence[str] | None = None, *, name: str = "X"
) -> tuple[ImageCollection, list[str]]:
    """Return images and labels, whether given apart or as a data set."""
    images = as_collection(X, name=name)
    labels = getattr(X, "labels", None) if y is None else y
    if labels is None:
        raise DataError(f"{name}: comes without labels. Pass y, or a data set from load_dataset.")
    labels = [str(label) for label in np.asarray(labels).ravel()]
    if len(labels) != len(images):
        message = f"y: {len(labels)} labels for {len(images)} images. Pass one for each image."
        raise DataError(message)
    return images, labels


def _groups_of(X: Any, groups: ArrayLike | None) -> NDArray[Any] | None:
    given = getattr(X, "groups", None) if groups is None else groups
    return None if given is None else np.asarray(given)


def _negative_of(X: Any, negative_class: str | None) -> str | None:
    return negative_class or getattr(X, "negative_class", None)


def _describe_data(X: Any, validation_data: Any) -> dict[str, Any]:
    """Return what a bundle keeps of its training data: hashes, by which leaks are found."""
    hashes = [
        *getattr(X, "content_hashes", ()),
        *getattr(validation_data, "content_hashes", ()),
    ]
    return {"seen": sorted({name[:16] for name in hashes})} if hashes else {}
