"""One case: the answer in words, the scan with its heatmap, and a page to keep."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from mri_tumor.app.escaping import plain
from mri_tumor.app.heatmaps import make_heatmap
from mri_tumor.app.sheet import Page, write_page
from mri_tumor.app.words import (
    class_name,
    percent,
    probability_in_words,
    threshold_in_words,
    verdict,
)
from mri_tumor.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.app.cases import Case
    from mri_tumor.app.controls import View
    from mri_tumor.explain.heatmap import Heatmap
    from mri_tumor.runtime import Runtime

# Heatmaps of a session that are kept, so that moving the opacity computes nothing.
_KEPT_MAPS = 64
_BOXES = {
    "tumor": (st.error, ":material/report:"),
    "no tumor": (st.info, ":material/info:"),
    "uncertain": (st.warning, ":material/help:"),
    "refused": (st.warning, ":material/block:"),
    "error": (st.warning, ":material/broken_image:"),
}


def show_case(case: Case, model: Runtime, view: View, *, name: str) -> None:
    """Draw a case.

    Parameters
    ----------
    case : Case
        What to show.
    model : Runtime
        What answered.
    view : View
        How to show it.
    name : str
        What the model is called.
    """
    st.subheader(plain(case.name), divider="gray")
    _say_answer(case, model)
    at = _choose_slice(case) if case.is_volume else 0
    row = case.row_of(at)
    try:
        image = case.image(at)
    except ImageError:
        return  # said above
    heatmap = _heatmap(case, at, image, model, view) if row["label"] is not None else None
    _show_pictures(image, heatmap, view)
    page = Page(
        name=case.name,
        row=case.row,
        rule=model.rule_,
        model=name,
        image=image,
        heatmap=heatmap,
        opacity=view.opacity,
        note=_slice_note(case, at) if case.is_volume else "",
    )
    _offer_page(page)


def _slice_note(case: Case, at: int) -> str:
    """Say which slice is shown, what the model said of it, and which decided for the volume."""
    row = case.row_of(at)
    p = row["tumor_probability"]
    here = str(row["message"]) if p is None else f"P(tumour) {percent(p)}, {row['status']}"
    return f"Slice {at} of 0 to {len(case.slices) - 1}: {here}. {case.deciding_in_words}".strip()


def _say_answer(case: Case, model: Runtime) -> None:
    rule, row = model.rule_, case.row
    answer = verdict(row, rule)
    box, icon = _BOXES[answer.kind]
    box(f"**{plain(answer.title)}**\n\n{plain(answer.meaning)}", icon=icon)
    p = row["tumor_probability"]
    if p is None:
        return
    left, right = st.columns([2, 3])
    with left:
        st.metric("Probability of a tumour", percent(p))
        words = probability_in_words(p, rule, volume=case.is_volume)
        st.caption(plain(f"{words} {threshold_in_words(rule)}"))
    with right:
        for label, share in row["probabilities"].items():
            st.progress(min(1.0, share), f"{plain(class_name(label))}: {percent(share)}")


def _choose_slice(case: Case) -> int:
    last = len(case.slices) - 1
    at: int = st.slider("Slice", 0, last, case.best_slice, key=f"slice-{id(case)}")
    st.caption(plain(_slice_note(case, at)))
    return at


def _heatmap(
    case: Case, at: int, image: NDArray[np.uint8], model: Runtime, view: View
) -> Heatmap | None:
    if view.choice is None:
        return None
    kept: dict[Any, Heatmap] = st.session_state.setdefault("maps", {})
    key = (id(case), at, view.choice)
    if key not in kept:
        while len(kept) >= _KEPT_MAPS:
            kept.pop(next(iter(kept)))
        with st.spinner("Looking for the evidence"):
            kept[key] = make_heatmap(model, image, view.choice)
    return kept[key]


def _show_pictures(image: NDArray[np.uint8], heatmap: Heatmap | None, view: View) -> None:
    left, right = st.columns(2)
    left.image(image, "The scan", width="stretch", alt="The scan in grey")
    if heatmap is None:
        return
    drawn = heatmap.overlay(opacity=view.opacity, contour=view.contour)
    place = "none" if heatmap.peak is None else _place(*heatmap.peak)
    right.image(
        drawn,
        plain(f"Evidence for {class_name(heatmap.target)}, the most at: {place}"),
        width="stretch",
        alt=f"The scan with a heatmap; the most evidence lies at: {place}",
    )
    right.caption(
        "Yellow is the most evidence in this image, the scan's own grey is none. It shows what "
        "moved the model, not where a tumour is."
    )


def _place(x: float, y: float) -> str:
    """Say where a point lies, in the picture's own left and right."""
    across = "left" if x < 1 / 3 else "right" if x > 2 / 3 else "centre"
    down = "upper" if y < 1 / 3 else "lower" if y > 2 / 3 else "middle"
    return "centre" if (down, across) == ("middle", "centre") else f"{down} {across}"


def _offer_page(page: Page) -> None:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", page.name.rsplit("/", 1)[-1]).strip("-.") or "case"
    with st.container(horizontal=True):
        for kind in ("pdf", "png"):
            st.download_button(
                f"Page as {kind.upper()}",
                partial(write_page, page, kind=kind),
                f"{stem}.{kind}",
                {"pdf": "application/pdf", "png": "image/png"}[kind],
                on_click="ignore",
                key=f"page-{kind}",
                icon=":material/download:",
            )
