"""The sanity check of Adebayo et al.: random weights must destroy the map."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.explain.checks import whole
from mri_tumor.explain.graph import read_graph
from mri_tumor.explain.registry import explain_batch, get_method

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LIMIT = 0.5


@dataclass(frozen=True)
class RandomisationCheck:
    """How like a model's maps stay to themselves while its layers become random.

    Parameters
    ----------
    method : str
        The method checked.
    shares : tuple of float
        Share of the layers with weights made random, from the output down; the last is 1.
    similarities : tuple of float
        Mean rank correlation with the true model's maps at each, in [-1, 1].
    between_images : float or None
        For comparison: mean rank correlation of the true model's maps of different images. High, it
        says that the maps share a shape whatever the image. None for a single image.
    """

    method: str
    shares: tuple[float, ...]
    similarities: tuple[float, ...]
    between_images: float | None

    @property
    def passed(self) -> bool:
        """True where the map of a fully random model is unlike the true one (below 0.5)."""
        return abs(self.similarities[-1]) < LIMIT

    def to_dict(self) -> dict[str, Any]:
        """Return all fields and the verdict, ready for JSON."""
        return {**asdict(self), "passed": self.passed}


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Measure how alike two maps order their pixels.

    Parameters
    ----------
    first, second : array_like of float, shape (h, w)
        Maps.

    Returns
    -------
    float
        Spearman's correlation in [-1, 1]; 0 where a map is flat.

    Examples
    --------
    >>> round(rank_correlation([[1.0, 2.0], [3.0, 4.0]], [[1.0, 4.0], [9.0, 16.0]]), 6)
    1.0
    """
    from scipy.stats import rankdata

    ranks = [rankdata(np.asarray(one)).ravel() for one in (first, second)]
    centred = [rank - rank.mean() for rank in ranks]
    size = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum()) / size if size > 0 else 0.0


def randomisation_check(
    model: Any,
    images: Any,
    *,
    method: str = "grad_cam",
    target: Any = None,
    stages: int = 4,
    seed: int = 0,
    **options: Any,
) -> RandomisationCheck:
    """Make a model's layers random from the output down, and see whether the maps follow.

    A method whose maps survive draws something that the model did not learn, such as the image's
    edges [1]_. Each weight array is shuffled, which keeps its distribution; the model given is not
    touched, a copy is. The classes explained are the true model's throughout.

    Parameters
    ----------
    model : keras.Model
        A classifier.
    images : array_like of int or float, shape (n, h, w, c)
        Some of its input; a few dozen are enough.
    method : str, default="grad_cam"
        As in :func:`mri_tumor.explain.get_method`.
    target : int, str, None, or a sequence of these
        As in :func:`mri_tumor.explain.grad_cam`.
    stages : int, default=4
        Points on the way from the last layer to all of them.
    seed : int, default=0
        Seed of the shuffling.
    **options
        What the method takes.

    Returns
    -------
    RandomisationCheck
        Similarities, and whether the check is passed.

    Raises
    ------
    ImageError, ParameterError
        As the method does; also for a model that cannot be copied, or no image.

    References
    ----------
    .. [1] Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018. arXiv:1810.03292
    """
    stages = whole("stages", stages, low=1)
    name = get_method(method).__name__
    true = explain_batch(model, images, method=name, target=target, **options)
    if not len(true.maps):
        raise ParameterError("images: the randomisation check needs at least one")
    # A target of several classes together stays as asked; one that depends on the answer is fixed.
    fixed = target if "tumor" in true.targets else true.chosen.tolist()
    copy = _copy(model)
    layers = _weighted_layers(copy)
    rng = np.random.default_rng(seed)
    shares, similarities, done = [], [], 0
    for stage in range(1, stages + 1):
        upto = max(round(len(layers) * stage / stages), 1)
        for layer in layers[done:upto]:
            _shuffle(layer, rng)
        done = max(done, upto)
        maps = explain_batch(copy, images, method=name, target=fixed, **options).maps
        shares.append(done / len(layers))
        similarities.append(_mean_correlation(true.maps, maps))
    others = np.roll(true.maps, 1, axis=0)
    between = _mean_correlation(true.maps, others) if len(true.maps) > 1 else None
    return RandomisationCheck(name, tuple(shares), tuple(similarities), between)


def _mean_correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    pairs = zip(first, second, strict=True)
    return float(np.mean([rank_correlation(one, other) for one, other in pairs]))


def _copy(model: Any) -> Any:
    import keras

    try:
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ParameterError(
            f"model: {model.name!r} cannot be copied, which the randomisation check needs: {error}"
        ) from error
    return copy


def _weighted_layers(model: Any) -> list[Any]:
    """Return the layers with weights, from the output to the images, each once."""
    found: dict[int, Any] = {}
    for step in reversed(read_graph(model).steps):
        if getattr(step.operation, "weights", None):
            found.setdefault(id(step.operation), step.operation)
    if not found:
        raise ParameterError(f"model: {model.name!r} has no weights to make random")
    return list(found.values())


def _shuffle(layer: Any, rng: np.random.Generator) -> None:
    import keras

    for weight in layer.weights:
        values = np.array(keras.ops.convert_to_tensor(weight))
        if values.dtype.kind == "f" and values.size > 1:
            weight.assign(rng.permutation(values.ravel()).reshape(values.shape))
