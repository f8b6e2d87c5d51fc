"""Ask how well the label can be told from what should not matter."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mri_tumor.data.dataset import Dataset
from mri_tumor.data.splits import Fold, k_fold
from mri_tumor.errors import DataError, ImageError
from mri_tumor.images import read_image

Floats = NDArray[np.float64]

_SIDE = 32
_RING = 2
_BINS = 32
# Enough to hold down the 240 correlated pixels of the border; the answer hardly depends on it.
_RIDGE = 10.0
#: What each check looks at, as a person is told.
QUESTIONS = {
    "border": "the outermost frame of the picture (1/16 of each side)",
    "histogram": "how many pixels have which brightness, wherever they are",
    "file": "width, height, file size, colour mode and format",
    "sequence": "an 8 x 8 thumbnail, contrast, sharpness and noise (the sequence, the plane)",
    "source": "which source the image comes from",
}


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How well one thing that should not matter tells the label.

    Attributes
    ----------
    name : str
        A key of `QUESTIONS`.
    balanced_accuracy : float
        Mean recall over the classes, in [0, 1], on held-out groups.
    chance : float
        What guessing reaches: one over the number of classes.
    tumor_auc : float or None
        Area under the ROC curve for tumor or not, in [0, 1]; None without both.
    n_images : int
        Images that were looked at.

    Examples
    --------
    >>> found = Shortcut("border", balanced_accuracy=0.9, chance=0.5, tumor_auc=0.96, n_images=100)
    >>> found.verdict
    'nearly gives the label away: a high score shows little'
    """

    name: str
    balanced_accuracy: float
    chance: float
    tumor_auc: float | None
    n_images: int

    @property
    def strength(self) -> float:
        """Share of the way from guessing to certainty, in [0, 1]."""
        told = (self.balanced_accuracy - self.chance) / (1 - self.chance)
        by_auc = 0.0 if self.tumor_auc is None else 2 * self.tumor_auc - 1
        return float(np.clip(max(told, by_auc), 0, 1))

    @property
    def verdict(self) -> str:
        """The finding in plain words."""
        if self.strength < 0.2:
            return "tells next to nothing"
        if self.strength < 0.5:
            return "gives a hint"
        if self.strength < 0.8:
            return "tells much: a model can score well by it"
        return "nearly gives the label away: a high score shows little"


def check_shortcuts(
    dataset: Dataset,
    *,
    max_images: int = 3000,
    seed: int = 0,
    n_threads: int | None = None,
) -> tuple[Shortcut, ...]:
    """Tell the label from the border, the histogram, the file and the look alone.

    Each is given to a ridge classifier, a linear model, in five-fold cross-validation by group,
    so that copies of an image do not help. What the numbers show is the data set, not a model:
    where the border alone tells the classes apart, any model may use it.

    Parameters
    ----------
    dataset : Dataset
        Images with labels and groups.
    max_images : int, default=3000
        Images to look at; a larger data set is sampled.
    seed : int, default=0
        Seed of the sample and the folds.
    n_threads : int, optional
        Threads that read; the number of processors by default.

    Returns
    -------
    tuple of Shortcut
        One for each question, the strongest first.

    Raises
    ------
    DataError
        If there are not two classes with at least two groups each.

    References
    ----------
    .. [1] Geirhos et al., "Shortcut learning in deep neural networks", Nature Machine
       Intelligence 2, 2020. doi:10.1038/s42256-020-00257-z

    Examples
    --------
    >>> from mri_tumor import load_dataset, make_phantoms
    >>> _ = make_phantoms(40, folder="scans", size=64, classes=("notumor", "tumor"))
    >>> found = check_shortcuts(load_dataset("scans", split=None))
    >>> sorted(one.name for one in found)
    ['border', 'file', 'histogram', 'sequence']
    """
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    sample, features = _measure_all(dataset, max_images, seed, n_threads)
    labels = np.array(sample.labels, dtype=np.str_)
    known = np.flatnonzero(np.isin(labels, sample.classes))
    tumor = labels != sample.negative_class
    which = _question(known, labels[known], sample.groups, seed)
    whether = _question(np.arange(len(sample)), tumor.astype(np.str_), sample.groups, seed)
    if which is None:
        raise DataError("a shortcut check needs two classes of at least two groups each.")
    found = []
    # Matrices this small are slower on several threads, far slower on a busy machine.
    with threadpool_limits(1):
        for name, values in features.items():
            names, answers = which.ask(values)
            accuracy = balanced_accuracy_score(which.labels, names[answers.argmax(axis=1)])
            auc = None
            if whether is not None:
                auc = float(roc_auc_score(tumor, whether.ask(values)[1][:, 1]))
            found.append(Shortcut(name, float(accuracy), 1 / len(names), auc, len(sample)))
    return tuple(sorted(found, key=lambda shortcut: -shortcut.strength))


def _measure_all(
    dataset: Dataset, max_images: int, seed: int, n_threads: int | None
) -> tuple[Dataset, dict[str, Floats]]:
    """Measure a sample of the images; one that vanished since it was loaded is left out."""
    order = np.random.default_rng(seed).permutation(len(dataset))[:max_images]
    sample = dataset.subset(np.sort(order))
    with ThreadPoolExecutor(n_threads) as pool:
        rows = list(pool.map(_measure, sample.paths))
    sample = sample.subset([index for index, row in enumerate(rows) if row is not None])
    good = [row for row in rows if row is not None]
    if not good:
        raise DataError("none of the images can be read any more.")
    features = {name: np.stack([row[0][name] for row in good]) for name in good[0][0]}
    features["file"] = np.hstack([features["file"], _one_hot([row[1] for row in good])])
    if len(set(sample.sources)) > 1:
        features["source"] = _one_hot(sample.sources)
    return sample, features


def _measure(path: str) -> tuple[dict[str, Floats], str] | None:
    try:
        image = read_image(path)
        size = Path(path).stat().st_size
    except (ImageError, OSError):
        return None
    height, width = image.shape
    file = np.log([size, size / (height * width), height, width, height / width])
    return {
        "border": _border(image),
        "histogram": np.bincount(image.ravel() // (256 // _BINS), minlength=_BINS) / image.size,
        "sequence": _look(image),
        "file": file,
    }, _mode(path)


def _mode(path: str) -> str:
    """Name the colour mode and the format as the file has them."""
    try:
        with Image.open(path) as image:
            return f"{image.mode} {image.format}"
    except (OSError, ValueError):
        return Path(path).suffix.lower()


def _thumbnail(image: NDArray[np.uint8], side: int) -> Floats:
    small = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255


def _border(image: NDArray[np.uint8]) -> Floats:
    thumbnail = _thumbnail(image, _SIDE)
    ring = np.ones((_SIDE, _SIDE), dtype=bool)
    ring[_RING:-_RING, _RING:-_RING] = False
    values = thumbnail[ring]
    return np.concatenate([values, np.quantile(values, [0.05, 0.5, 0.95]), [values.std()]])


def _look(image: NDArray[np.uint8]) -> Floats:
    grey = image.astype(np.float32) / 255
    head = grey[grey > grey.mean() / 2] if grey.any() else grey.ravel()
    levels = np.quantile(head, [0.05, 0.25, 0.5, 0.75, 0.95])
    # Differences between neighbours grow with sharpness, their second differences with noise.
    sharpness = [
        np.abs(np.diff(grey, n=order, axis=axis)).mean() for order in (1, 2) for axis in (0, 1)
    ]
    numbers = [*levels, len(head) / grey.size, head.std(), *np.log(np.array(sharpness) + 1e-4)]
    return np.concatenate([_thumbnail(image, 8).ravel(), numbers])


def _one_hot(values: Sequence[str]) -> Floats:
    names = sorted(set(values))
    return np.array([[float(value == name) for name in names] for value in values])


@dataclass(frozen=True)
class _Question:
    """What to tell, of which images, and the folds to tell it in."""

    rows: NDArray[np.int64]
    labels: NDArray[np.str_]
    folds: list[Fold]

    def ask(self, values: Floats) -> tuple[NDArray[np.str_], Floats]:
        """Give the classes and the out-of-fold scores of each, (n_images, n_classes)."""
        from sklearn.linear_model import RidgeClassifier
        from sklearn.preprocessing import StandardScaler

        names = np.unique(self.labels)
        # Below any score: a fold without a class to learn from never calls it.
        scores = np.full((len(self.labels), len(names)), -10.0)
        for train, test in self.folds:
            scaler = StandardScaler().fit(values[self.rows[train]])
            model = RidgeClassifier(alpha=_RIDGE, class_weight="balanced")
            model.fit(scaler.transform(values[self.rows[train]]), self.labels[train])
            score = model.decision_function(scaler.transform(values[self.rows[test]]))
            if score.ndim == 1:
                score = np.stack([-score, score], axis=1)
            scores[np.ix_(test, np.searchsorted(names, model.classes_))] = score
        return names, scores


def _question(
    rows: NDArray[np.int64], labels: NDArray[np.str_], groups: NDArray[np.int64], seed: int
) -> _Question | None:
    """Prepare to tell these labels; None where there are too few groups to hold some out."""
    found = [len(np.unique(groups[rows][labels == label])) for label in np.unique(labels)]
    if len(found) < 2 or min(found) < 2:
        return None
    folds = k_fold(labels.tolist(), groups[rows], n_folds=min(5, *found), seed=seed)
    # Where two classes share all their groups, a fold may have but one of them to learn from.
    return _Question(rows, labels, [f for f in folds if len(np.unique(labels[f[0]])) > 1])
