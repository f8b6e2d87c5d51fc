"""Show a frame as a DICOM viewer does: modality values, window, polarity."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mri_tumor.images.dicom_facts import DicomFacts, for_frame, items_for_frame
from mri_tumor.images.dicom_header import numbers, text
from mri_tumor.images.intensity import Grey, intensity_window, to_grey
from mri_tumor.images.messages import refusal
from mri_tumor.images.options import ReadOptions

Values = npt.NDArray[Any]


def modality_values(
    stored: Values, dataset: Any, frame: int, *, name: str
) -> tuple[Values, npt.NDArray[np.bool_] | None]:
    """Turn stored values into those that windows refer to.

    Parameters
    ----------
    stored : ndarray of int, shape (h, w)
        Values as stored.
    dataset : pydicom Dataset
        The header.
    frame : int
        Which frame, from 0.
    name : str
        The file's name, for messages.

    Returns
    -------
    values : ndarray, shape (h, w)
        After the modality table, or slope and intercept.
    padding : ndarray of bool, shape (h, w), or None
        Pixels that are no measurement.

    Raises
    ------
    ImageError
        If a needed tag is damaged.
    """
    padding = _padding(stored, dataset, name)
    if _items(dataset, "ModalityLUTSequence"):
        return _looked_up(stored, dataset, "modality", name), padding
    linear = rescaling(dataset, frame, name=name)
    if linear is None:
        return stored, padding
    slope, intercept = linear
    values = stored.astype(np.float64) * slope + intercept
    if not np.isfinite(values).all():
        raise refusal(name, "has a damaged tag RescaleSlope", "Copy or export it again")
    return values, padding


def rescaling(dataset: Any, frame: int, *, name: str) -> tuple[float, float] | None:
    """Return slope and intercept of a frame, None if they change nothing.

    Parameters
    ----------
    dataset : pydicom Dataset
        The header.
    frame : int
        Which frame, from 0.
    name : str
        The file's name, for messages.

    Returns
    -------
    tuple of float or None
        A slope of zero, which would wipe the image out, counts as one.

    Raises
    ------
    ImageError
        If a tag is damaged.
    """
    group = "PixelValueTransformationSequence"
    slopes = for_frame(dataset, frame, group, "RescaleSlope", name=name)
    intercepts = for_frame(dataset, frame, group, "RescaleIntercept", name=name)
    slope = (slopes[0] if slopes else 1.0) or 1.0
    intercept = intercepts[0] if intercepts else 0.0
    return None if (slope, intercept) == (1.0, 0.0) else (slope, intercept)


def measured(values: Values, padding: npt.NDArray[np.bool_] | None) -> Values:
    """Return the values of the pixels that are measurements.

    Parameters
    ----------
    values : ndarray, shape (h, w)
        Of all pixels.
    padding : ndarray of bool, shape (h, w), or None
        Those that are none.

    Returns
    -------
    ndarray, shape (n,)
        All of them if none is a measurement.
    """
    if padding is None or padding.all():
        return values.ravel()
    return np.asarray(values[~padding])


def show(
    values: Values,
    dataset: Any,
    facts: DicomFacts,
    frame: int,
    *,
    name: str,
    options: ReadOptions,
    levels: tuple[float, float] | None,
    padding: npt.NDArray[np.bool_] | None = None,
) -> Grey:
    """Turn the values of a frame into grey.

    Parameters
    ----------
    values : ndarray, shape (h, w) or (h, w, 3)
        As given by `modality_values`; RGB is turned to luma.
    dataset : pydicom Dataset
        The header.
    facts : DicomFacts
        How they are stored.
    frame : int
        Which frame, from 0.
    name : str
        The file's name, for messages.
    options : ReadOptions
        `window` and `voi` are used.
    levels : tuple of float or None
        Black and white for a file without a window of its own; None chooses them from
        this frame.
    padding : ndarray of bool, shape (h, w), optional
        Pixels that become black.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        The picture, dark background and bright tissue as a viewer shows it.

    Raises
    ------
    ImageError
        If a needed tag is damaged.
    """
    if values.ndim == 3:
        return _luma(values, facts)
    grey = _own_window(values, dataset, frame, name, options) if options.window == "auto" else None
    if grey is None:
        low, high = levels or intensity_window(
            measured(values, padding), name=name, window=options.window
        )
        grey = to_grey(values, low, high)
    if facts.photometric == "MONOCHROME1":
        grey = 255 - grey
    if padding is not None:
        grey = np.where(padding, np.uint8(0), grey)
    return grey


def has_own_window(dataset: Any, frame: int, *, name: str) -> bool:
    """Tell whether a frame says how it is to be shown.

    Parameters
    ----------
    dataset : pydicom Dataset
        The header.
    frame : int
        Which frame, from 0.
    name : str
        The file's name, for messages.

    Returns
    -------
    bool
        Whether it has a table or a usable window.
    """
    return bool(_items(dataset, "VOILUTSequence")) or _window(dataset, frame, name, 0) is not None


def _own_window(
    values: Values, dataset: Any, frame: int, name: str, options: ReadOptions
) -> Grey | None:
    """Apply the file's own table or window; None if it has none that shows anything."""
    tables = _items(dataset, "VOILUTSequence")
    window = _window(dataset, frame, name, options.voi)
    if window is None and len(tables) <= options.voi:
        if options.voi:
            raise refusal(name, f"has no window {options.voi}", "Pass voi=0")
        return None
    if window is not None:
        grey = _windowed(values, *window)
    else:
        looked_up = _looked_up(values, dataset, "voi", name, options.voi)
        grey = to_grey(looked_up, 0, float(_table_top(tables[options.voi])))
    # A window that leaves one grey belongs to other values than these.
    return None if grey.min() == grey.max() else grey


def _window(dataset: Any, frame: int, name: str, number: int) -> tuple[float, float, str] | None:
    for item in items_for_frame(dataset, frame, "FrameVOILUTSequence"):
        centers = numbers(item, "WindowCenter", name=name)
        widths = numbers(item, "WindowWidth", name=name)
        if number >= min(len(centers), len(widths)):
            continue
        center, width = centers[number], widths[number]
        if np.isfinite(center) and np.isfinite(width) and width > 0:
            return center, width, text(item, "VOILUTFunction").upper()
    return None


def _windowed(values: Values, center: float, width: float, function: str) -> Grey:
    """Apply a window by DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3."""
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            curve = 1 / (1 + np.exp(-4 * (values.astype(np.float64) - center) / width))
        return np.floor(curve * 255 + 0.5).astype(np.uint8)
    if function == "LINEAR_EXACT":
        return to_grey(values, center - width / 2, center + width / 2)
    # The default counts whole values: a width of 1 is a threshold.
    low, high = center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2
    if width <= 1:
        return np.where(values > center - 0.5, np.uint8(255), np.uint8(0))
    return to_grey(values, low, high)


def _items(dataset: Any, keyword: str) -> list[Any]:
    try:
        return list(dataset.get(keyword) or [])
    except Exception:  # noqa: BLE001 - a damaged sequence counts as none
        return []


def _table_top(table: Any) -> int:
    descriptor = list(table.LUTDescriptor)
    return int(2 ** int(descriptor[2])) - 1


def _looked_up(values: Values, dataset: Any, which: str, name: str, number: int = 0) -> Values:
    from pydicom.pixels import apply_modality_lut, apply_voi

    try:
        # Tables are indexed by whole values.
        whole = values if np.issubdtype(values.dtype, np.integer) else values.astype(np.int64)
        if which == "modality":
            return np.asarray(apply_modality_lut(whole, dataset))
        _table_top(_items(dataset, "VOILUTSequence")[number])
        return np.asarray(apply_voi(whole, dataset, index=number))
    except Exception:  # noqa: BLE001 - damaged tables raise nearly anything
        raise refusal(
            name, f"has a damaged {which} lookup table", "Pass window='percentile'"
        ) from None


def _padding(stored: Values, dataset: Any, name: str) -> npt.NDArray[np.bool_] | None:
    value = numbers(dataset, "PixelPaddingValue", name=name)
    if not value:
        return None
    limit = numbers(dataset, "PixelPaddingRangeLimit", name=name) or value
    low, high = sorted((value[0], limit[0]))
    padding = (stored >= low) & (stored <= high)
    # Where it is all or nothing, the tag is a leftover.
    return None if padding.all() or not padding.any() else padding


def _luma(values: Values, facts: DicomFacts) -> Grey:
    if values.dtype != np.uint8:
        values = (values >> max(0, facts.bits_stored - 8)).astype(np.uint8)
    return np.asarray(Image.fromarray(np.ascontiguousarray(values)).convert("L"))
