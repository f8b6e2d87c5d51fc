"""Fit a gate to pictures that are brain MRI slices and to pictures that are not."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.gate.checks import Limits, check_descriptions
from mri_tumor.gate.gate import Gate
from mri_tumor.gate.network import CLIP, Network, check_features, inputs_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Three small networks of different seeds, averaged, refuse 1% more of the kinds of pictures
# that they have not seen than a large one; they are stored as one.
_MEMBERS, _UNITS = 3, 16
# Numbers in the hidden layer: 360 kB in float32, whatever the width of the features.
_MAX_WEIGHTS = 90_000
# Strong, because kinds not seen matter, not those seen: with 0.1 scans of a source left out
# were refused three times as often.
_PENALTY = 10.0
_EPOCHS, _MIN_STEPS = 10, 300


def fit_gate(
    descriptions: NDArray[np.float32],
    features: NDArray[np.floating[Any]],
    *,
    other_descriptions: NDArray[np.float32] | None = None,
    other_features: NDArray[np.floating[Any]] | None = None,
    groups: ArrayLike | None = None,
    max_refused: float = 0.01,
    held_back: float = 0.2,
    layer: str | None = None,
    seed: int = 0,
) -> Gate:
    """Fit a gate to scans and to other pictures.

    Scans should come in all the looks that are to pass: besides the images themselves, ones
    with the skull removed, of other contrast, resolution and noise, and phantoms. Other
    pictures should come in many kinds; scans that were cut up and shuffled teach that grey
    tissue on black is not enough (outlier exposure [1]_).

    Parameters
    ----------
    descriptions : ndarray of float32, shape (n, WIDTH)
        `describe_all` of the scans.
    features : ndarray of float, shape (n, c)
        The model's pooled features of the scans; any c.
    other_descriptions : ndarray of float32, shape (m, WIDTH), optional
        `describe_all` of the other pictures. Without them the gate has its rules only.
    other_features : ndarray of float, shape (m, c), optional
        The model's pooled features of the other pictures.
    groups : array_like of int or str, shape (n,), optional
        What must not be on both sides when the cut is chosen: patients, near duplicates, an
        image and its variants. Each scan is its own group by default.
    max_refused : float, default=0.01
        Share of the scans held back that may be refused, in (0, 0.5].
    held_back : float, default=0.2
        Share of the groups that only chooses the cut, in (0, 0.9].
    layer : str, optional
        Layer of the backbone whose pooled output the features are, or several joined by ``+``,
        whose features follow each other; by default they are the pooled feature map. A frozen
        layer keeps what tells pictures apart, which training on scans alone takes from later ones.
    seed : int, default=0
        Seed of the split and of the network.

    Returns
    -------
    Gate
        For this model only.

    Raises
    ------
    ParameterError
        If shapes do not match, a value is not finite, an option is out of range, or there are
        too few scans or groups to hold some back.

    References
    ----------
    .. [1] Hendrycks, Mazeika & Dietterich, "Deep Anomaly Detection with Outlier Exposure",
       ICLR 2019. arXiv:1812.04606
    """
    _check_options(max_refused, held_back)
    scans, others = _checked(descriptions, features, other_descriptions, other_features)
    # Rules decide on sure cases: together they may use up a tenth of what may be refused.
    limits = Limits().relaxed(scans[0], share=max_refused / 60)
    if others is None:
        return Gate(limits=limits, max_refused=max_refused, n_scans=len(scans[0]), layer=layer)
    aside = _held_back(groups, len(scans[0]), held_back, seed)
    values = inputs_of(*scans)
    network = _fit_network(values[~aside], inputs_of(*others), seed)
    cut = float(np.quantile(network.score(values[aside]), 1 - max_refused, method="higher"))
    return Gate(
        limits=limits,
        network=network,
        cut=cut,
        max_refused=max_refused,
        n_scans=len(values),
        n_others=len(others[0]),
        layer=layer,
    )


_Pair = tuple["NDArray[np.float32]", "NDArray[np.float32]"]


def _checked(
    descriptions: Any, features: Any, other_descriptions: Any, other_features: Any
) -> tuple[_Pair, _Pair | None]:
    """Return scans and other pictures as pairs of arrays that fit together."""
    scans = _pair(descriptions, features, "")
    if (other_descriptions is None) != (other_features is None):
        message = "fit_gate: other_descriptions and other_features go together; one is missing."
        raise ParameterError(message)
    if other_features is None:
        return scans, None
    others = _pair(other_descriptions, other_features, "other_")
    if others[1].shape[1] != scans[1].shape[1]:
        message = (
            "fit_gate: features and other_features must come from the same model. Received "
            f"widths {scans[1].shape[1]} and {others[1].shape[1]}."
        )
        raise ParameterError(message)
    return scans, others


def _pair(descriptions: Any, features: Any, prefix: str) -> _Pair:
    first = check_descriptions(f"fit_gate: {prefix}descriptions", descriptions)
    second = check_features(f"fit_gate: {prefix}features", features)
    if len(first) != len(second):
        message = (
            f"fit_gate: {prefix}descriptions and {prefix}features must be of the same "
            f"pictures. Received {len(first)} and {len(second)} rows."
        )
        raise ParameterError(message)
    return first, second


def _check_options(max_refused: float, held_back: float) -> None:
    for name, value, top in (("max_refused", max_refused, 0.5), ("held_back", held_back, 0.9)):
        if not 0 < value <= top:
            message = f"fit_gate: {name} must be in (0, {top}]. Received: {value!r}"
            raise ParameterError(message)


def _held_back(groups: Any, n: int, share: float, seed: int) -> NDArray[np.bool_]:
    """Choose groups that only choose the cut."""
    groups = np.arange(n) if groups is None else np.asarray(groups)
    if groups.shape != (n,):
        message = f"fit_gate: groups must have the shape ({n},). Received: {groups.shape}"
        raise ParameterError(message)
    _, member = np.unique(groups, return_inverse=True)
    n_groups = int(member.max()) + 1
    count = round(share * n_groups)
    if not 0 < count < n_groups:
        message = f"fit_gate: {n_groups} groups are too few to hold back a share of {share}."
        raise ParameterError(message)
    chosen = np.random.default_rng(seed).permutation(n_groups)[:count]
    return np.isin(member, chosen)


def _fit_network(scans: NDArray[np.float32], others: NDArray[np.float32], seed: int) -> Network:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    mean, scale = scans.mean(axis=0), scans.std(axis=0)
    # A unit that hardly ever fires on scans would else become a giant on anything new.
    scale = np.maximum(scale, max(0.1 * float(np.median(scale)), 1e-6)).astype(np.float32)
    # Repeats balance the sides; sample weights need a newer scikit-learn than we ask for.
    smaller, larger = sorted((len(scans), len(others)))
    times = max(1, larger // smaller)
    sides = [(scans, 0, times if len(scans) == smaller else 1)]
    sides += [(others, 1, times if len(others) == smaller and len(scans) != smaller else 1)]
    rows = np.concatenate([np.repeat(side, n, axis=0) for side, _, n in sides])
    labels = np.concatenate([np.full(len(side) * n, label) for side, label, n in sides])
    rows = np.clip((rows - mean) / scale, -CLIP, CLIP)
    units = max(1, min(_UNITS, _MAX_WEIGHTS // (_MEMBERS * rows.shape[1])))
    batch = min(128, len(rows))
    members = []
    for member in range(_MEMBERS):
        model = MLPClassifier(
            (units,),
            alpha=_PENALTY,
            batch_size=batch,
            learning_rate_init=5e-4,
            max_iter=max(_EPOCHS, _MIN_STEPS * batch // len(rows)),
            n_iter_no_change=_MIN_STEPS,
            random_state=seed + member,
        )
        # Threads cost more than they give on layers this small, and change the last bits.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs are on purpose
            members.append(model.fit(rows, labels))
    first, last = zip(*(model.coefs_ for model in members), strict=True)
    bias, end = zip(*(model.intercepts_ for model in members), strict=True)
    return Network(
        mean=mean.astype(np.float32),
        scale=scale,
        hidden=np.concatenate(first, axis=1).astype(np.float32),
        hidden_bias=np.concatenate(bias).astype(np.float32),
        output=(np.concatenate(last)[:, 0] / _MEMBERS).astype(np.float32),
        output_bias=np.mean(end, axis=0).astype(np.float32),
    )
