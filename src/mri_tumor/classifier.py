"""The classifier that users meet: a scikit-learn estimator over a pretrained backbone."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from mri_tumor import persistence
from mri_tumor.answers import Answering, DecisionRule, PredictsFromImages
from mri_tumor.backbones import BackboneSpec, get_backbone
from mri_tumor.bundle import packaged_bundle
from mri_tumor.caching import Cache
from mri_tumor.calibrating import Calibrates
from mri_tumor.errors import NotFittedError, ParameterError
from mri_tumor.examining import Examines
from mri_tumor.explain.options import EXPLANATION
from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.labelled import (
    describe_data,
    groups_of,
    images_behind,
    kept,
    labelled,
    negative_of,
    training_and_validation,
)
from mri_tumor.training.augmentation import Policy, Variants, get_augmentation
from mri_tumor.training.parameters import check_parameters, is_whole
from mri_tumor.training.targets import encode, find_classes, image_weights
from mri_tumor.training.workers import open_workers

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from mri_tumor.gate import Gate
    from mri_tumor.training.checkpoint import Checkpoint
    from mri_tumor.training.fitting import LabelledImages, StagePlan


# Epochs of `finetune` unless told otherwise. For the same number of steps, eight mixed variants in
# three epochs did no worse on the validation part than four standard ones in six.
FINETUNE_EPOCHS = 3
# Without a warm-up the first steps of Adam, at the full rate, undo a part of what the backbone knows.
_WARMUP_STEPS, _WEIGHT_DECAY = 100, 0.01
HEAD_EPOCHS = 50

_COMPILING = threading.Lock()


class TumorClassifier(PredictsFromImages, Calibrates, Examines, ClassifierMixin, BaseEstimator):
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
    augmentation : str, callable or None, default="mixed"
        ``"standard"``: rotation, shifts, shear, zoom, horizontal flip. ``"robust"``: what
        differs between hospitals as well, from the skull and the contrast to resolution and
        noise. ``"mixed"``: each in half of the variants. A callable takes a decoded grey image, the `Preprocessing` and a NumPy generator.
    n_variants : int, default=8
        Variants of each image to train on: itself and augmented ones.
    cache : bool or path, default=True
        Compute the frozen part once for all variants, and keep it for other trainings on the
        same images, in the user's cache folder or in this one; `mri_tumor.caching` has the
        limit. False draws fresh variants every epoch and is many times slower.
    class_weight : "balanced", dict or None, default=None
        Weights of the labels in the loss.
    focal_gamma : float, default=0.0
        Exponent of the focal loss; 0 is cross-entropy.
    epochs : int, optional
        Most epochs of the head; by default 50, and 1 where `fit` goes on to fine-tune: a head
        that has settled on frozen features is a worse start.
    learning_rate : float, default=1e-3
        First learning rate of Adam in `fit`; it falls along a half cosine.
    finetune_epochs : int, default=0
        If positive, `fit` goes on to fine-tune for at most so many epochs, as
        cross-validation needs.
    finetune_layers : int, optional
        Layers of the backbone that `finetune` opens; the backbone's own number by default.
    finetune_learning_rate : float, default=4e-4
        First learning rate of `finetune`.
    patience : int, default=10
        Epochs without a lower validation loss, after the best temperature, before a stage
        ends; the weights of the best epoch are kept.
    batch_size : int, default=32
        Images per step, over all devices.
    strategy : {"mirrored", "multi-worker"} or None, default=None
        Share the training with the graphics processors of this machine, or with the machines
        that ``TF_CONFIG`` lists; each of them calls `fit`, and only the first writes a
        checkpoint. Batches are dealt out in an order of their own, the same for any number.
    validation_fraction : float, default=0.15
        Share of the training images, by group, that decides when to stop: one of n equal parts,
        with n nearest to its inverse and 2 at least, so that 0.3 cuts off a third.
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
    rule_ : DecisionRule
        Temperature, threshold and what else turns probabilities into answers.
    gate_ : Gate or None
        What refuses images that are no brain MRI slices.
    explanation_ : str
        Method by which the saved model explains where there is no TensorFlow.
    history_ : dict of str to list
        One entry per epoch: ``stage``, ``loss``, ``accuracy``, ``val_loss``,
        ``val_accuracy``, ``val_calibrated_loss``, ``seconds``.

    Examples
    --------
    >>> from mri_tumor import TumorClassifier, load_dataset, make_phantoms
    >>> _ = make_phantoms(40, classes=("notumor", "tumor"), size=64, folder="scans")
    >>> data = load_dataset("scans")
    >>> clf = TumorClassifier(weights="brain-mri", input_size=96, n_variants=1, epochs=2)
    >>> clf = clf.fit(data.train, validation_data=data.validation)
    >>> clf.predict_proba(data.test).shape
    (6, 2)
    >>> clf.evaluate(data.test).n_images
    6
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
        augmentation: str | Policy | None = "mixed",
        n_variants: int = 8,
        cache: bool | str | os.PathLike[str] = True,
        class_weight: str | Mapping[str, float] | None = None,
        focal_gamma: float = 0.0,
        epochs: int | None = None,
        learning_rate: float = 1e-3,
        finetune_epochs: int = 0,
        finetune_layers: int | None = None,
        finetune_learning_rate: float = 4e-4,
        patience: int = 10,
        batch_size: int = 32,
        strategy: str | None = None,
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
        self.strategy = strategy
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
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    ) -> TumorClassifier:
        """Train a fresh model: the head, and the last layers if `finetune_epochs` is set.

        If it fails or is stopped, the classifier is as it was before.

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
        checkpoint : path or Checkpoint, optional
            Folder that keeps the training after each epoch. If a training of the same images
            and parameters was left there, however it was stopped, `fit` goes on with it and
            ends with the same model. Removed at the end; a `Checkpoint` is the caller's.

        Returns
        -------
        TumorClassifier
            Itself.

        Raises
        ------
        CheckpointError
            If another training was left in the checkpoint, or is going on there.
        DataError
            If labels are missing, unknown, or of one class only.
        ImageError
            If an image cannot be read.
        ParameterError
            If a parameter is out of range, or there is not one group for each image.
        WeightsError
            If the weights cannot be had here.
        WorkerError
            If another worker of the strategy is lost, or was started with something else.
        """
        from mri_tumor.model import build_model

        self._check_parameters()
        # The workers can only meet before TensorFlow does anything else.
        open_workers(self.strategy)
        X = kept(X)
        labels = labelled(X, y)[1]
        classes, negative = find_classes(labels, negative_of(X, self.negative_class))
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
        with self._unchanged_on_failure():
            self.classes_ = np.array(classes)
            self.negative_class_ = negative
            self.rule_ = DecisionRule(
                classes=classes, negative_class=negative, threshold=float(self.threshold)
            )
            self.preprocessing_ = Preprocessing(size=size)
            self.backbone_ = spec
            self.gate_: Gate | None = None
            self.explanation_ = EXPLANATION
            self.history_: dict[str, list[Any]] = {}
            self.metrics_: dict[str, Any] = {}
            self.data_ = describe_data(X, validation_data, known=images_behind(self.weights))
            self.model_ = model
            self._forget()
            parts = self._parts(X, y, groups, validation_data)
            plans = [
                self._plan("head", self.epochs or (1 if self.finetune_epochs else HEAD_EPOCHS))
            ]
            if self.finetune_epochs:
                plans.append(self._plan("finetune", self.finetune_epochs))
            self._train(plans, parts, checkpoint)
        return self

    def finetune(
        self,
        X: Any,
        y: Sequence[str] | None = None,
        *,
        groups: ArrayLike | None = None,
        validation_data: Any = None,
        epochs: int | None = None,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    ) -> TumorClassifier:
        """Go on training with the last layers of the backbone open, at a lower rate.

        If it fails or is stopped, the classifier is as it was before. Normalisation layers keep
        their statistics. If no epoch improves on the model as it was, by the validation loss, it
        stays as it was. Temperature, prediction sets and gate
        belong to the weights as they were and are dropped, and the threshold is the parameter's:
        call `calibrate` afterwards.

        Parameters
        ----------
        X, y, groups, validation_data, checkpoint
            As in `fit`; labels must be among the classes.
        epochs : int, optional
            Most epochs; `finetune_epochs` if that is set, else 3.

        Returns
        -------
        TumorClassifier
            Itself.

        Raises
        ------
        NotFittedError
            If there is no model yet.
        CheckpointError, DataError, ImageError, ParameterError, WorkerError
            As in `fit`.
        """
        self._require_model()
        self._check_parameters()
        if epochs is not None and not is_whole(epochs, 1):
            raise ParameterError(
                f"epochs: must be a whole number, 1 or more. Received: {epochs!r}"
            )
        X = kept(X)
        parts = self._parts(X, y, groups, validation_data)
        with self._unchanged_on_failure():
            self.data_ = describe_data(X, validation_data, known=self.data_)
            if epochs is None:
                epochs = self.finetune_epochs or FINETUNE_EPOCHS
            plan = self._plan("finetune", epochs)
            self._train([plan], parts, checkpoint)
            # They were fitted to the outputs and the features of the weights as they were.
            self.rule_ = DecisionRule(
                classes=self.rule_.classes,
                negative_class=self.negative_class_,
                threshold=float(self.threshold),
            )
            self.gate_ = None
            self.explanation_ = EXPLANATION
            self._forget()
        return self

    @contextlib.contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        """Leave the classifier as it was if a training in it fails or is stopped."""
        before = self._learned()
        model = before.get("model_")
        weights = None if model is None else model.get_weights()
        history = {name: list(row) for name, row in before.get("history_", {}).items()}
        try:
            yield
        except BaseException:
            for name in self._learned():
                delattr(self, name)
            self.__dict__.update(before)
            if model is not None:
                model.set_weights(weights)
                self.history_ = history
            raise

    def _learned(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

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
            warmup_steps=_WARMUP_STEPS if tunes else 0,
            weight_decay=_WEIGHT_DECAY if tunes else 0.0,
        )
        return StagePlan(stage, n_open)

    def _train(
        self,
        plans: list[StagePlan],
        parts: list[LabelledImages],
        checkpoint: str | os.PathLike[str] | Checkpoint | None,
    ) -> None:
        from mri_tumor.training.checkpoint import opened_checkpoint
        from mri_tumor.training.fitting import FitOptions, train_stages
        from mri_tumor.training.identity import training_identity

        workers = open_workers(self.strategy)
        chief = workers is None or workers.is_chief
        with opened_checkpoint(checkpoint if chief else None) as kept:
            if kept is not None:
                parameters = self.get_params(deep=False)
                kept.begin(training_identity(parameters, plans, parts, self.model_))
            train_stages(
                self.model_,
                plans,
                parts[0],
                parts[1],
                Variants(self.preprocessing_, get_augmentation(self.augmentation), self.seed),
                options=FitOptions(
                    batch_size=self.batch_size,
                    n_variants=self.n_variants,
                    cache=bool(self.cache),
                    store=self._store(),
                    seed=self.seed,
                    show_progress=bool(self.verbose),
                    workers=workers,
                ),
                history=self.history_,
                checkpoint=kept,
            )
        self._forget()

    def _store(self) -> Cache | None:
        if not self.cache:
            return None
        return Cache() if self.cache is True else Cache(Path(self.cache))

    def _parts(
        self, X: Any, y: Any, groups: ArrayLike | None, validation_data: Any
    ) -> list[LabelledImages]:
        """Return the training and the validation part as the loss takes them."""
        from mri_tumor.training.fitting import LabelledImages

        images, labels = labelled(X, y)
        pairs = training_and_validation(
            images,
            labels,
            groups_of(X, groups, len(images)),
            validation_data,
            fraction=self.validation_fraction,
            seed=self.seed,
        )
        # Validation images count alike, so that the best epoch means the same for any weights.
        weights = (image_weights(pairs[0][1], self.class_weight), np.ones(len(pairs[1][1]), "f"))
        return [
            LabelledImages(part, encode(names, self.classes_, self.negative_class_), weight)
            for (part, names), weight in zip(pairs, weights, strict=True)
        ]

    def _calibrated_on(self, X: Any) -> None:
        self.data_ = describe_data(X, known=self.data_)

    # -- keeping ----------------------------------------------------------------------------

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        half_precision: bool = False,
        runtime: bool = False,
    ) -> Path:
        """Save the model and all that is needed to use it, as a folder.

        Parameters
        ----------
        path : str or path
            Folder to write; an older model there is replaced, anything else is not.
        half_precision : bool, default=False
            Store the weights in half the space, as float16.
        runtime : bool, default=False
            Also write what `mri_tumor.runtime` and the command line need to answer without
            TensorFlow, many times quicker; converting takes some seconds.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        BundleError
            If it cannot be written.
        ExportError
            If `runtime` is set and the model cannot be converted.
        NotFittedError
            If there is no model yet.
        """
        self._require_model()
        return persistence.save(self, path, half_precision=half_precision, runtime=runtime)

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

    def _forget(self) -> None:
        """Drop the compiled graph, whose weights are constants, after the weights changed."""
        self._compiled: Any = None

    def _answering(self, threshold: float | None = None) -> Answering:
        from mri_tumor.outputs import answering_model
        from mri_tumor.training.compiled import frozen_function

        self._require_model()
        # Threads that share a classifier compile it once, not all at the same time.
        with _COMPILING:
            if self._compiled is None:
                layer = None if self.gate_ is None else self.gate_.layer
                self._compiled = frozen_function(answering_model(self.model_, gate_layer=layer))
        rule = self.rule_ if threshold is None else replace(self.rule_, threshold=threshold)
        return Answering(
            network=self._compiled,
            preprocessing=self.preprocessing_,
            rule=rule,
            gate=self.gate_,
            show_progress=bool(self.verbose),
        )

    def _check_parameters(self) -> None:
        """Refuse parameters out of range; scikit-learn asks for it here, not in __init__."""
        check_parameters(self)
