"""What every method shares: check, choose layers, run in batches, enlarge, fuse, normalise."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Unpack

import numpy as np

from mri_tumor.explain.checks import real, whole
from mri_tumor.explain.engine import Engine, Pass, check_images, engine_for
from mri_tumor.explain.layers import choose_layers
from mri_tumor.explain.maps import (
    drop_rounding,
    enlarge,
    fuse_maps,
    gaussian_blur,
    move,
    normalise,
)
from mri_tumor.explain.targets import Targets, resolve_targets, target_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.explain.options import TargetOptions

P = ParamSpec("P")


@dataclass(frozen=True, eq=False)
class Explanation:
    """Maps with the answers that they explain, from the same passes.

    Parameters
    ----------
    maps : ndarray of float32, shape (n, h, w)
        Evidence in [0, 1]; each map's maximum is 1, or it is zero everywhere.
    probabilities : ndarray of float32, shape (n, n_classes)
        The model's answer, two columns for a single unit.
    chosen : ndarray of int64, shape (n,)
        Index of the class that is explained (of several together, the likeliest).
    targets : tuple of str
        Its name, or ``"tumor"``.
    """

    maps: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    chosen: NDArray[np.int64]
    targets: tuple[str, ...]


class Method(Protocol[P]):
    """A method as the library offers it; `__wrapped__` gives the whole :class:`Explanation`."""

    __name__: str
    __wrapped__: Callable[P, Explanation]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> NDArray[np.float32]:
        """Explain images and return their maps."""


def method(function: Callable[P, Explanation]) -> Method[P]:
    """Make a public method of a function that explains arrays.

    A fitted classifier (anything with `model_`, `prepare`, `classes_` and `explain`) explains
    itself: its own `explain` is called, which prepares the images, knows the classes' names and
    returns heatmaps in the original images' pixels.
    """

    @functools.wraps(function)
    def explain(*args: P.args, **kwargs: P.kwargs) -> Any:
        subject: Any = args[0] if args else kwargs.get("model")
        if all(hasattr(subject, name) for name in ("model_", "prepare", "classes_", "explain")):
            options: dict[str, Any] = dict(kwargs)
            rest = args[1:] if args else (options.pop("model"), *args)[1:]
            return subject.explain(*rest, method=function.__name__, **options)
        return function(*args, **kwargs).maps

    # `help` should say what the public method returns, not what the wrapped one does.
    shown = inspect.signature(function).replace(return_annotation="NDArray[np.float32]")
    explain.__signature__ = shown  # type: ignore[attr-defined]
    return explain


@dataclass(frozen=True, eq=False)
class Job:
    """Checked input: what a method works on."""

    engine: Engine
    images: NDArray[Any]
    targets: Targets
    class_names: Sequence[str] | None
    batch_size: int
    flip: bool
    shift: int
    blur: float

    def batches(self) -> Iterator[tuple[NDArray[np.float32], Targets]]:
        """Yield float32 batches with their targets, in order."""
        for start in range(0, len(self.images), self.batch_size):
            part = slice(start, start + self.batch_size)
            yield self.images[part].astype(np.float32), self.targets[part]


def prepare(
    model: Any,
    images: Any,
    *,
    target: Any = None,
    batch_size: int = 32,
    class_names: Sequence[str] | None = None,
    negative_class: int | str | None = None,
    flip: bool = False,
    shift: int = 0,
    blur: float = 0.0,
) -> Job:
    """Check model, images, target and the options that every method takes.

    Raises
    ------
    ImageError
        If `images` is no batch for this model.
    ParameterError
        If the model is no classifier, the target unknown, the batch size below 1, or `shift` not
        smaller than the image.
    """
    array = check_images(images)
    batch_size = whole("batch_size", batch_size, low=1)
    height, width, channels = array.shape[1:]
    engine = engine_for(model, (height, width, channels))
    targets = resolve_targets(
        target,
        n_images=len(array),
        n_classes=engine.n_classes,
        class_names=class_names,
        negative_class=negative_class,
    )
    shift = whole("shift", shift, low=0, high=min(height, width) - 1)
    sigma = real("blur", blur, low=0.0, high=max(height, width))
    return Job(engine, array, targets, class_names, batch_size, flip, shift, sigma)


def pin(targets: Targets, chosen: NDArray[np.int64]) -> Targets:
    """Fix each image's class, so that changed copies of it are asked about the same one."""
    rows = np.arange(len(chosen))
    single = np.zeros_like(targets.mask)
    single[rows, chosen] = True
    return Targets(np.where(targets.summed[:, None], targets.mask, single), targets.summed)


Explainer = Callable[["NDArray[np.float32]", Targets], tuple["NDArray[np.float32]", Pass]]


def explain_with(job: Job, explainer: Explainer) -> Explanation:
    """Run a method over all batches, with mirrored and moved copies where asked.

    Parameters
    ----------
    job : Job
        What to explain.
    explainer : callable
        Takes images (n, h, w, c) and targets; gives maps (n, h, w) of any positive range, and the
        pass over the images as they are.

    Returns
    -------
    Explanation
        Normalised maps and the answers.
    """
    height, width = job.engine.shape[:2]
    maps, probabilities, chosen = [], [], []
    for images, targets in job.batches():
        plain, answer = explainer(images, targets)
        fixed = pin(targets, answer.chosen)

        def again(copies: NDArray[np.float32], fixed: Targets = fixed) -> NDArray[np.float32]:
            return explainer(copies, fixed)[0]

        mean = _averaged(job, plain, images, again)
        maps.append(normalise(gaussian_blur(mean, job.blur) if job.blur else mean))
        probabilities.append(answer.probabilities)
        chosen.append(answer.chosen)
    if not maps:
        maps = [np.zeros((0, height, width), np.float32)]
        probabilities = [np.zeros((0, job.engine.n_classes), np.float32)]
        chosen = [np.zeros(0, np.int64)]
    index = np.concatenate(chosen)
    names = target_names(job.targets, index, job.class_names)
    return Explanation(np.concatenate(maps), np.concatenate(probabilities), index, names)


def _averaged(
    job: Job,
    plain: NDArray[np.float32],
    images: NDArray[np.float32],
    again: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    total, count = plain.copy(), np.ones(plain.shape[1:], np.float32)
    if job.flip:
        total += again(images[:, :, ::-1])[:, :, ::-1]
        count += 1
    ends = (-job.shift, job.shift)
    moves = [(dy, dx) for dy in ends for dx in ends] if job.shift else []
    for dy, dx in moves:
        # Moved back, the copy has nothing to say about the strip that left the picture.
        known = _window(plain.shape[1:], dy, dx)
        total += move(again(move(images, dy, dx)), -dy, -dx) * known
        count += known
    return np.asarray(total / count, dtype=np.float32)


def _window(shape: tuple[int, ...], dy: int, dx: int) -> NDArray[np.float32]:
    """Mark by 1 the pixels that a move by (dy, dx) does not push over the border."""
    height, width = shape
    window = np.zeros((height, width), np.float32)
    window[max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)] = 1.0
    return window


def combine(stack: Sequence[NDArray[np.float32]], *, fuse: str) -> NDArray[np.float32]:
    """Return one layer's maps as they are, and several layers' fused, each normalised first."""
    if len(stack) == 1:
        return stack[0]
    return fuse_maps([normalise(item) for item in stack], how=fuse)


def cam(
    model: Any,
    images: Any,
    reduce: Callable[..., tuple[Any, ...]],
    *,
    target: Any,
    layer: Any,
    batch_size: int,
    differentiate: bool = True,
    strides: Sequence[int] | str | None = None,
    fuse: str = "product",
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Run a method that turns a layer's values and gradients into a coarse map.

    Parameters
    ----------
    model, images, target, batch_size, **options
        As in :func:`prepare`.
    reduce : callable
        Takes values and gradients (n, a, b, channels), gives maps (n, a, b) and the size (n,) of
        the terms that they were summed from.
    layer, strides
        As in :func:`choose_layers`.
    differentiate : bool, default=True
        Compute gradients.
    fuse : {"product", "mean", "max"}
        How several layers' maps become one.

    Returns
    -------
    Explanation
        Maps of the images' height and width.
    """
    job = prepare(model, images, target=target, batch_size=batch_size, **options)
    numbers = choose_layers(job.engine, layer, strides)
    shape = job.engine.shape[:2]

    def explainer(
        batch: NDArray[np.float32], targets: Targets
    ) -> tuple[NDArray[np.float32], Pass]:
        answer = job.engine.run(
            batch, targets, numbers=numbers, reduce=reduce, differentiate=differentiate
        )
        stack = [drop_rounding(enlarge(coarse, shape), size) for coarse, size in answer.extra]
        return combine(stack, fuse=fuse), answer

    return explain_with(job, explainer)
