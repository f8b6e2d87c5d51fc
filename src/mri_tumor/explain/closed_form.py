"""Grad-CAM at the cost of a prediction, in NumPy: no tape, no TensorFlow.

For the head *mean over the cells -> dense, ReLU -> (dropout) -> dense*, with pooled features f,
hidden a = f W1 + b1 and logits z = max(a, 0) W2 + b2, the gradient of the logit z_t by f is

    W1 ((a > 0) * W2[:, t]),

and by each of the cells that f is the mean of, the same divided by their number. It does not depend
on the cell, so it is at once the weight that Grad-CAM gives to the channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain.maps import drop_rounding, enlarge, enlarge_smoothly, normalise
from mri_tumor.explain.targets import resolve_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from mri_tumor.explain.targets import Targets


@dataclass(frozen=True, eq=False)
class PooledHead:
    """The weights of a head *global average pooling -> dense, ReLU -> dense*.

    Parameters
    ----------
    w1 : array_like of float, shape (channels, hidden)
        Kernel of the hidden layer.
    b1 : array_like of float, shape (hidden,)
        Its bias.
    w2 : array_like of float, shape (hidden, n_outputs)
        Kernel of the last layer; one output is one sigmoid unit, more are a softmax.
    b2 : array_like of float, shape (n_outputs,)
        Its bias.

    Raises
    ------
    ParameterError
        If the shapes do not fit together, or a weight is not finite.
    """

    w1: NDArray[np.float32]
    b1: NDArray[np.float32]
    w2: NDArray[np.float32]
    b2: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("w1", "b1", "w2", "b2"):
            array = np.asarray(getattr(self, name), dtype=np.float32)
            if not np.isfinite(array).all():
                raise ParameterError(f"{name}: holds NaN or infinite values")
            object.__setattr__(self, name, array)
        shapes = [getattr(self, name).shape for name in ("w1", "b1", "w2", "b2")]
        (*_, hidden), (*_, outputs) = (self.b1.shape or (0,)), (self.b2.shape or (0,))
        good = self.w1.ndim == 2 and shapes[1:] == [(hidden,), (hidden, outputs), (outputs,)]
        if not good or self.w1.shape[1] != hidden or 0 in (hidden, outputs):
            raise ParameterError(
                "w1, b1, w2, b2: expected shapes (channels, hidden), (hidden,), (hidden, outputs) "
                f"and (outputs,), got {', '.join(map(str, shapes))}"
            )

    @property
    def n_classes(self) -> int:
        """Number of classes; a single unit stands for two."""
        return max(len(self.b2), 2)

    @np.errstate(invalid="ignore")  # OpenBLAS raises the flag for lanes past the data
    def scores(self, features: ArrayLike) -> NDArray[np.float32]:
        """Return the classes' scores, before softmax or sigmoid.

        Parameters
        ----------
        features : array_like of float, shape (n, a, b, channels)
            The feature map.

        Returns
        -------
        ndarray of float32, shape (n, n_classes)
            Logits; of a single unit's logit z, the columns are -z and z.
        """
        raw = np.maximum(self._hidden(self._check(features)), 0.0) @ self.w2 + self.b2
        return np.concatenate([-raw, raw], axis=1) if raw.shape[1] == 1 else raw

    def probabilities(self, features: ArrayLike) -> NDArray[np.float32]:
        """Return the classes' probabilities.

        Parameters
        ----------
        features : array_like of float, shape (n, a, b, channels)
            The feature map.

        Returns
        -------
        ndarray of float32, shape (n, n_classes)
            Rows sum to 1.
        """
        scores = self.scores(features)
        if len(self.b2) == 1:
            # A softmax over (-z, z) would be the sigmoid of 2 z.
            scores = np.asarray(scores / 2, dtype=np.float32)
        grown = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True), dtype=np.float32)

    @np.errstate(invalid="ignore")  # OpenBLAS raises the flag for lanes past the data
    def gradient(self, features: ArrayLike, weights: ArrayLike) -> NDArray[np.float32]:
        """Return the gradient of a weighted sum of the scores by each cell of the feature map.

        Parameters
        ----------
        features : array_like of float, shape (n, a, b, channels)
            The feature map.
        weights : array_like of float, shape (n, n_classes)
            Weight of each class's score; one 1 among zeros for a single class.

        Returns
        -------
        ndarray of float32, shape (n, channels)
            The gradient, which is the same in all cells.
        """
        values = self._check(features)
        share = np.asarray(weights, dtype=np.float32)
        if len(self.b2) == 1:
            share = share[:, 1:] - share[:, :1]
        alive = self._hidden(values) > 0
        back = ((share @ self.w2.T) * alive) @ self.w1.T
        return np.asarray(back / (values.shape[1] * values.shape[2]), dtype=np.float32)

    def grad_cam(
        self,
        features: ArrayLike,
        *,
        target: Any = None,
        shape: tuple[int, int] | None = None,
        class_names: Sequence[str] | None = None,
        negative_class: int | str | None = None,
    ) -> NDArray[np.float32]:
        """Explain by Grad-CAM, exactly as :func:`mri_tumor.explain.grad_cam` would.

        Parameters
        ----------
        features : array_like of float, shape (n, a, b, channels)
            The feature map.
        target, class_names, negative_class
            As in :func:`mri_tumor.explain.grad_cam`.
        shape : tuple of int, optional
            Height and width of the maps; by default those of the feature map.

        Returns
        -------
        ndarray of float32, shape (n, h, w)
            Evidence in [0, 1]; each map's maximum is 1, or it is zero everywhere.

        Raises
        ------
        ImageError
            If `features` do not fit the head.
        ParameterError
            If the target is unknown.
        """
        values = self._check(features)
        targets = resolve_targets(
            target,
            n_images=len(values),
            n_classes=self.n_classes,
            class_names=class_names,
            negative_class=negative_class,
        )
        return normalise(self.evidence(values, targets, shape=shape))

    def chosen(self, scores: NDArray[np.float32], targets: Targets) -> NDArray[np.int64]:
        """Return the likeliest class of each mask, shape (n,), from scores (n, n_classes)."""
        return np.asarray(np.where(targets.mask, scores, -np.inf).argmax(axis=1), dtype=np.int64)

    @np.errstate(invalid="ignore")  # OpenBLAS raises the flag for lanes past the data
    def evidence(
        self, features: ArrayLike, targets: Targets, *, shape: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """Return the maps of :meth:`grad_cam` in the range that they have before normalising.

        Parameters
        ----------
        features : array_like of float, shape (n, a, b, channels)
            The feature map.
        targets : Targets
            What to explain in each image.
        shape : tuple of int, optional
            Height and width of the maps; by default those of the feature map.

        Returns
        -------
        ndarray of float32, shape (n, h, w)
            Evidence, zero or more.
        """
        values = self._check(features)
        scores = self.scores(values)
        masked = np.where(targets.mask, scores, -np.inf)
        highest = masked.max(axis=1, keepdims=True)
        # The log of a sum of exponentials has the softmax as its gradient.
        grown = np.exp(masked - highest)
        share = np.where(
            targets.summed[:, None],
            grown / grown.sum(axis=1, keepdims=True),
            np.eye(self.n_classes)[self.chosen(scores, targets)],
        )
        weights = self.gradient(values, share)[:, :, None]
        n, rows, columns, channels = values.shape
        cells = values.reshape(n, rows * columns, channels)
        maps = np.maximum(cells @ weights, 0.0)[..., 0].reshape(n, rows, columns)
        size = (np.abs(cells) @ np.abs(weights)).max(axis=(1, 2), initial=0.0)
        return enlarge(drop_rounding(maps, size), shape or (rows, columns))

    def cell_evidence(
        self, features: ArrayLike, targets: Targets, *, shape: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """Return what the head says of each cell alone, before normalising.

        Parameters
        ----------
        features : array_like of float, shape (n, a, b, channels)
            The feature map.
        targets : Targets
            What to explain in each image.
        shape : tuple of int, optional
            Height and width of the maps; by default those of the feature map.

        Returns
        -------
        ndarray of float32, shape (n, h, w)
            Log-odds of the target against all other classes; 0 where they are not positive.
        """
        values = self._check(features)
        n, rows, columns, channels = values.shape
        wanted = targets.mask & targets.summed[:, None]
        alone = np.flatnonzero(~targets.summed)
        wanted[alone, self.chosen(self.scores(values), targets)[alone]] = True
        scores = self.scores(values.reshape(-1, 1, 1, channels)).reshape(n, rows * columns, -1)
        if len(self.b2) == 1:
            scores *= np.float32(0.5)  # the difference of the columns is the logit itself
        odds = _log_sum(scores, wanted) - _log_sum(scores, ~wanted)
        maps = odds.reshape(n, rows, columns)
        return np.maximum(maps if shape is None else enlarge_smoothly(maps, shape), 0.0)

    def _hidden(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(values.mean(axis=(1, 2)) @ self.w1 + self.b1)

    def _check(self, features: ArrayLike) -> NDArray[np.float32]:
        values = np.asarray(features, dtype=np.float32)
        if values.ndim != 4 or values.shape[3] != len(self.w1) or 0 in values.shape[1:]:
            raise ImageError(
                f"features: expected shape (n, height, width, {len(self.w1)}), got {values.shape}"
            )
        return values


def _log_sum(scores: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the log of the summed exponentials of the chosen classes, shape (n, cells)."""
    kept = np.where(chosen[:, None], scores, -np.inf)
    highest = kept.max(axis=2, keepdims=True)
    return np.asarray(np.log(np.exp(kept - highest).sum(axis=2)) + highest[..., 0])


def closed_form_grad_cam(  # noqa: PLR0917 - the weights come in their usual order
    features: ArrayLike,
    w1: ArrayLike,
    b1: ArrayLike,
    w2: ArrayLike,
    b2: ArrayLike,
    target: Any = None,
    **options: Any,
) -> NDArray[np.float32]:
    """Explain by Grad-CAM from a feature map and the head's weights, in one forward pass.

    Parameters
    ----------
    features : array_like of float, shape (n, a, b, channels)
        The feature map, which global average pooling reads.
    w1, b1, w2, b2 : array_like of float
        Weights of the head, see :class:`PooledHead`.
    target : int, str, None, or a sequence of these with one entry per image
        As in :func:`mri_tumor.explain.grad_cam`.
    **options
        `shape`, `class_names`, `negative_class`, as in :meth:`PooledHead.grad_cam`.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Evidence in [0, 1]; each map's maximum is 1, or it is zero everywhere.

    Raises
    ------
    ImageError
        If `features` do not fit the weights.
    ParameterError
        If the weights do not fit together, or the target is unknown.

    References
    ----------
    .. [1] Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
       Localization", ICCV 2017. arXiv:1610.02391

    Examples
    --------
    >>> features = [[[[1.0, 0.0], [0.0, 2.0]]]]
    >>> weights = [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]
    >>> closed_form_grad_cam(features, *weights, target=0).tolist()
    [[[1.0, 0.0]]]
    """
    head = PooledHead(
        np.asarray(w1, np.float32),
        np.asarray(b1, np.float32),
        np.asarray(w2, np.float32),
        np.asarray(b2, np.float32),
    )
    return head.grad_cam(features, target=target, **options)
