"""Run a classifier and its gradients in batches, compiled once per model."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain.graph import Graph, read_graph
from mri_tumor.explain.scores import read_head, read_scores, select

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mri_tumor.explain.targets import Targets


@dataclass(frozen=True, eq=False)
class Pass:
    """What one pass over a batch gives.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, n_classes)
        The model's answer, two columns for a single unit.
    score, probability : ndarray of float32, shape (n,)
        Logit and probability of what is explained.
    chosen : ndarray of int64, shape (n,)
        The likeliest class of each mask.
    extra : list of ndarray
        What the method's own function gave, layer by layer.
    """

    probabilities: NDArray[np.float32]
    score: NDArray[np.float32]
    probability: NDArray[np.float32]
    chosen: NDArray[np.int64]
    extra: list[tuple[NDArray[np.float32], ...]]


class Engine:
    """A classifier made ready to be explained at one image size.

    Compiled functions take any batch size and any target, so nothing is traced twice. Weights are
    read when it runs: training on or loading weights needs no new engine.

    Parameters
    ----------
    model : keras.Model
        A built classifier.
    shape : tuple of int
        Height, width and channels of its images.
    """

    def __init__(self, model: Any, shape: tuple[int, int, int]) -> None:
        self.graph: Graph = read_graph(model)
        self.shape = shape
        self._head = read_head(self.graph)
        self._compiled: dict[Any, Any] = {}
        self._shapes: dict[int, tuple[int | None, ...]] | None = None

    @property
    def shapes(self) -> dict[int, tuple[int | None, ...]]:
        """Static shape of every value by its number, batch axis first."""
        if self._shapes is None:
            import tensorflow as tf

            found: dict[int, tuple[int | None, ...]] = {}

            def probe(images: Any) -> Any:
                values = self.graph.run(images)
                found.update({number: tuple(value.shape) for number, value in values.items()})
                return values[self.graph.output]

            spec = tf.TensorSpec((None, *self.shape), tf.float32)
            tf.function(probe, autograph=False).get_concrete_function(spec)
            self._shapes = found
        return self._shapes

    @property
    def n_classes(self) -> int:
        """Number of classes; a single unit stands for two."""
        shape = self.shapes[self.graph.output]
        if len(shape) != 2 or shape[1] is None:
            raise ParameterError(
                f"model: {self.graph.name!r} gives an output of shape {shape}; a classifier's is "
                "(n_images, n_classes)"
            )
        return max(shape[1], 2)

    def run(
        self,
        images: NDArray[np.float32],
        targets: Targets,
        *,
        numbers: tuple[int, ...] = (),
        reduce: Callable[..., tuple[Any, ...]] | None = None,
        differentiate: bool = True,
    ) -> Pass:
        """Run one batch.

        Parameters
        ----------
        images : ndarray of float32, shape (n, h, w, c)
            Model input.
        targets : Targets
            What is explained in each image.
        numbers : tuple of int
            Values (layers' outputs; 0 is the images) to hand to `reduce`.
        reduce : callable, optional
            Called per value with the value and the gradient of the score by it (None unless
            `differentiate`); gives a tuple of tensors with the batch axis first. Must be a
            module-level function: what is compiled is kept by it.
        differentiate : bool, default=True
            Compute gradients.

        Returns
        -------
        Pass
            All as NumPy arrays.

        Raises
        ------
        ParameterError
            If a score is not finite.
        """
        import tensorflow as tf

        key = (numbers, reduce, differentiate)
        if key not in self._compiled:
            self._compiled[key] = self._compile(*key)
        given = (images, targets.mask, targets.summed)
        *found, extra = self._compiled[key](*(tf.constant(one) for one in given))
        probabilities, score, probability, chosen = (np.asarray(item) for item in found)
        if not np.isfinite(score).all():
            raise ParameterError(
                f"model: {self.graph.name!r} gives NaN or infinite scores for these images, so its "
                "weights may be broken; check model.predict on them"
            )
        arrays = [tuple(np.asarray(item) for item in group) for group in extra]
        return Pass(probabilities, score, probability, chosen, arrays)

    def _compile(
        self,
        numbers: tuple[int, ...],
        reduce: Callable[..., tuple[Any, ...]] | None,
        differentiate: bool,
    ) -> Any:
        import tensorflow as tf

        def compute(images: Any, mask: Any, summed: Any) -> Any:
            # With no watched variables the tape records nothing before the first watched value.
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                values = self.graph.run(
                    images, tape=tape if differentiate else None, watch=numbers
                )
                scores, probabilities = read_scores(self._head, values)
                score, probability, chosen = select(scores, probabilities, mask, summed)
            sources = [values[number] for number in numbers]
            if differentiate and numbers:
                slopes = tape.gradient(score, sources, unconnected_gradients="zero")
            else:
                slopes = [None] * len(sources)
            extra = []
            for source, slope in zip(sources, slopes, strict=True):
                value = tf.cast(source, tf.float32)
                gradient = None if slope is None else tf.cast(slope, tf.float32)
                extra.append((value,) if reduce is None else reduce(value, gradient))
            return probabilities, score, probability, chosen, extra

        signature = [
            tf.TensorSpec((None, *self.shape), tf.float32),
            tf.TensorSpec((None, self.n_classes), tf.bool),
            tf.TensorSpec((None,), tf.bool),
        ]
        # Traced here and now: a function that traces when called warns of retracing once several
        # methods or models have been used, though none is ever traced twice.
        return tf.function(compute, autograph=False).get_concrete_function(*signature)


_ENGINES: weakref.WeakKeyDictionary[Any, dict[Any, Engine]] = weakref.WeakKeyDictionary()
_LOCK = threading.RLock()


def engine_for(model: Any, shape: tuple[int, int, int]) -> Engine:
    """Return the model's engine, made on first use and forgotten with the model.

    Parameters
    ----------
    model : keras.Model
        A classifier.
    shape : tuple of int
        Height, width and channels of its images.

    Returns
    -------
    Engine
        Ready to run.

    Raises
    ------
    ParameterError
        If this is no Keras classifier for such images, or Keras runs on another backend.
    ImageError
        If the images do not fit the model's input.
    """
    _check_model(model, shape)
    # What a Sequential model's `add` and `pop` change.
    key = (shape, tuple(id(layer) for layer in model.layers))
    with _LOCK:
        engines = _ENGINES.setdefault(model, {})
        if key not in engines:
            engines[key] = Engine(model, shape)
        return engines[key]


def _check_model(model: Any, shape: tuple[int, int, int]) -> None:
    import keras

    if not isinstance(model, keras.Model):
        raise ParameterError(
            f"model: expected a Keras model or a TumorClassifier, got {type(model).__name__}"
        )
    if keras.config.backend() != "tensorflow":
        raise ParameterError(
            f"model: Keras runs on {keras.config.backend()!r} here; explanations need TensorFlow, "
            "set KERAS_BACKEND=tensorflow"
        )
    if not model.built:
        model.build((None, *shape))
    expected = getattr(model, "input_shape", None)
    if isinstance(expected, list | dict):
        raise ParameterError(
            f"model: {model.name!r} has several inputs; an explanation needs one, the images"
        )
    if expected is None:
        return
    fits = len(expected) == 4 and all(
        want in (None, have) for want, have in zip(expected[1:], shape, strict=True)
    )
    if not fits:
        raise ImageError(
            f"images: the model {model.name!r} takes {tuple(expected[1:])}, got {shape} (height, "
            "width, channels); prepare them as for training"
        )


def check_images(images: Any) -> NDArray[Any]:
    """Check a batch of model input.

    Parameters
    ----------
    images : array_like, shape (n, h, w, c)
        Numbers in the range that the model was trained on.

    Returns
    -------
    ndarray
        The same numbers, not converted yet.

    Raises
    ------
    ImageError
        If this is no such batch, or holds NaN or infinities.
    """
    array = np.asarray(images)
    if array.ndim == 3:
        raise ImageError(
            f"images: shape {array.shape} looks like one image; pass a batch, images[None]"
        )
    if array.ndim != 4:
        raise ImageError(f"images: expected shape (n, h, w, channels), got {array.shape}")
    if array.dtype.kind not in "uif":
        raise ImageError(f"images: expected integers or floats, got dtype {array.dtype}")
    if 0 in array.shape[1:]:
        raise ImageError(f"images: shape {array.shape} holds no pixels")
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array).all(axis=(1, 2, 3))
        if bad.any():
            raise ImageError(
                f"images: number {int(bad.argmax())} holds NaN or infinite values; clean or leave "
                "it out"
            )
    return array
