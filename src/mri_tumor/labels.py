"""Class names as this field writes them, and the ones this library uses."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from mri_tumor.errors import DataError, ParameterError

NEGATIVE = "notumor"
UNKNOWN_TUMOR = "tumor"
BINARY = ("notumor", "tumor")
FOUR = ("glioma", "meningioma", "notumor", "pituitary")
SUBTYPES = ("glioma", "meningioma", "pituitary")
TASKS = ("binary", "four")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that say nothing about the class: "brain_glioma", "MRI images (normal)".
_FILLER = _words(
    "a an and brain case cases class data image images img imgs in is mr mri mris of patient "
    "patients photo photos picture pictures scan scans slice slices the type with"
)
# A glioblastoma is a glioma of grade 4; BraTS calls its gliomas HGG and LGG.
_SUBTYPE_WORDS = {
    "glioma": "glioma",
    "gliomas": "glioma",
    "glioblastoma": "glioma",
    "gbm": "glioma",
    "hgg": "glioma",
    "lgg": "glioma",
    "menin": "meningioma",
    "meningioma": "meningioma",
    "meningiomas": "meningioma",
    "meningeoma": "meningioma",
    "pituitary": "pituitary",
    "pitutary": "pituitary",
}
_TUMOR_WORDS = _words("tumor tumors tumour tumours tumoral tumorous")
_SUBTYPE_COMPANIONS = _TUMOR_WORDS | {"adenoma", "adenomas", "macroadenoma", "microadenoma"}
_NEGATIVE_NAMES = _words(
    "no none non false negative neg healthy normal normals control controls clean notumor "
    "notumors notumour nontumor nontumour nontumorous"
) | {"normal healthy", "healthy normal", "healthy control", "healthy controls"}
_POSITIVE_NAMES = _words("yes true positive pos cancer cancerous") | {
    "unknown tumor",
    "unknown tumour",
    "tumor unknown subtype",
    "tumour unknown subtype",
}
_NEGATABLE = _TUMOR_WORDS | {"cancer"}
_NEGATIONS = _words("no non not without free zero")

#: What the bare numbers mean when a data set's labels are exactly 0 and 1.
_ZERO_ONE = MappingProxyType({"0": NEGATIVE, "1": UNKNOWN_TUMOR})


def canonical_label(name: object) -> str | None:
    """Translate a class name as data sets write it.

    Parameters
    ----------
    name : object
        Folder name or label, for example ``"no_tumor"``, ``"Yes (Tumor)"`` or
        ``"Glioma_tumor"``. Case, spaces and punctuation do not matter.

    Returns
    -------
    str or None
        One of ``"notumor"``, ``"tumor"`` (of unknown subtype), ``"glioma"``,
        ``"meningioma"``, ``"pituitary"``; None where the name is not known.

    Examples
    --------
    >>> canonical_label("No (Tumor)"), canonical_label("pituitary_adenoma")
    ('notumor', 'pituitary')
    >>> canonical_label("Training") is None
    True
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name))
    words = [word for word in re.findall(r"[a-z]+", spaced.lower()) if word not in _FILLER]
    if not words:
        return None
    text = " ".join(words)
    if text in _NEGATIVE_NAMES:
        return NEGATIVE
    if text in _POSITIVE_NAMES:
        return UNKNOWN_TUMOR
    negated = any(word in _NEGATIONS for word in words)
    rest = [word for word in words if word not in _NEGATIONS]
    if negated:
        return NEGATIVE if rest and set(rest) <= _NEGATABLE else None
    subtypes = {_SUBTYPE_WORDS[word] for word in words if word in _SUBTYPE_WORDS}
    if subtypes:
        others = {word for word in words if word not in _SUBTYPE_WORDS}
        return subtypes.pop() if len(subtypes) == 1 and others <= _SUBTYPE_COMPANIONS else None
    if set(words) <= _TUMOR_WORDS | {"yes", "positive"}:
        return UNKNOWN_TUMOR
    return None


def map_names(
    names: Iterable[object], *, negative_class: str | None = None
) -> dict[str, str | None]:
    """Decide which class each name of a data set stands for.

    Parameters
    ----------
    names : iterable of object
        Folder names or labels; repeats are allowed.
    negative_class : str, optional
        The name that means *no tumor*. None or ``"notumor"`` translates the names this
        field uses (`canonical_label`); with ``"notumor"``, names that are not known stay as
        they are. Any other value is a class set of one's own: no name is changed.

    Returns
    -------
    dict of str to (str or None)
        Class of each distinct name; None where the name is not known. ``"0"`` and ``"1"``
        are read as *notumor* and *tumor* where no other name occurs.

    Examples
    --------
    >>> map_names(["yes", "no"])
    {'no': 'notumor', 'yes': 'tumor'}
    >>> map_names(["adenoma", "none"], negative_class="none")
    {'adenoma': 'adenoma', 'none': 'none'}
    """
    distinct = sorted({str(name).strip() for name in names})
    if negative_class is not None and negative_class != NEGATIVE:
        return {name: name or None for name in distinct}
    mapped = {name: canonical_label(name) for name in distinct}
    if distinct and set(distinct) <= set(_ZERO_ONE):
        mapped.update((name, _ZERO_ONE[name]) for name in distinct)
    if negative_class == NEGATIVE:
        mapped = {name: label or name or None for name, label in mapped.items()}
    return mapped


def infer_task(labels: Iterable[str]) -> str:
    """Choose the task that the labels allow.

    Parameters
    ----------
    labels : iterable of str
        Canonical labels.

    Returns
    -------
    {"binary", "four"}
        ``"four"`` when any subtype occurs, else ``"binary"``.

    Examples
    --------
    >>> infer_task(["notumor", "tumor"]), infer_task(["notumor", "glioma"])
    ('binary', 'four')
    """
    return "four" if set(labels) & set(SUBTYPES) else "binary"


def to_task(label: str, task: str) -> str:
    """Express a canonical label in a task.

    Parameters
    ----------
    label : str
        Canonical label.
    task : {"binary", "four"}
        In ``"binary"`` each subtype becomes ``"tumor"``; in ``"four"`` nothing changes.

    Returns
    -------
    str
        The label in that task.

    Raises
    ------
    ParameterError
        If the task is neither of the two.

    Examples
    --------
    >>> to_task("glioma", "binary"), to_task("tumor", "four")
    ('tumor', 'tumor')
    """
    if task not in TASKS:
        raise ParameterError(f"task must be 'binary' or 'four'. Received: {task!r}")
    return UNKNOWN_TUMOR if task == "binary" and label in SUBTYPES else label


def infer_classes(
    labels: Iterable[str], task: str, *, negative_class: str = NEGATIVE
) -> tuple[str, ...]:
    """List the classes that a model of these labels tells apart.

    Parameters
    ----------
    labels : iterable of str
        Labels as `to_task` gives them.
    task : {"binary", "four", "custom"}
        In ``"four"``, ``"tumor"`` (unknown subtype) is a label but never a class; in
        ``"custom"`` the same where the negative class is ``"notumor"``.
    negative_class : str, default="notumor"
        The class that means *no tumor*.

    Returns
    -------
    tuple of str
        The classes that occur: negative class first in binary, sorted otherwise.

    Examples
    --------
    >>> infer_classes(["tumor", "notumor", "notumor"], "binary")
    ('notumor', 'tumor')
    >>> infer_classes(["pituitary", "tumor", "notumor", "glioma"], "four")
    ('glioma', 'notumor', 'pituitary')
    """
    found = set(labels)
    if task == "four" or (task == "custom" and negative_class == NEGATIVE):
        found.discard(UNKNOWN_TUMOR)
    if len(found) == 2:  # an index of 1 then means tumor whatever the class is called
        return tuple(sorted(found, key=lambda label: (label != negative_class, label)))
    return tuple(sorted(found))


def explain_names(mapping: Mapping[str, str | None]) -> str:
    """Write a name mapping as one line, leaving out names that stayed as they were.

    Examples
    --------
    >>> explain_names({"no": "notumor", "tumor": "tumor"})
    "'no' -> notumor"
    """
    changed = [f"{name!r} -> {label}" for name, label in mapping.items() if label != name]
    return ", ".join(changed)


def require_known(labels: Iterable[str], classes: Iterable[str]) -> None:
    """Check that a model knows each of these labels.

    Raises
    ------
    DataError
        If a label is neither a class nor ``"tumor"`` (a tumor of unknown subtype).
    """
    known = tuple(classes)
    unknown = sorted(set(labels) - set(known) - {UNKNOWN_TUMOR})
    if unknown:
        raise DataError(
            f"label {unknown[0]!r} is not one of the model's classes {', '.join(known)}. "
            "Rename the folder or the label, or use a model that was trained on it."
        )


def is_missing(value: Any) -> bool:
    """Say whether a cell of a table is empty: None, NaN or pandas' NA.

    Examples
    --------
    >>> is_missing(None), is_missing(float("nan")), is_missing(0)
    (True, True, False)
    """
    try:
        # A NaN is no equal of itself.
        return value is None or bool(value != value)  # noqa: PLR0124
    except TypeError:  # NA is neither equal nor unequal to anything
        return True
