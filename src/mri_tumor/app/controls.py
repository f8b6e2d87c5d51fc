"""The side bar: which model, which heatmap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from mri_tumor.app.heatmaps import ABOUT_METHODS, METHODS, MapChoice
from mri_tumor.app.settings import settings
from mri_tumor.app.words import class_name, is_calibrated, percent

if TYPE_CHECKING:
    from mri_tumor.images.options import Plane
    from mri_tumor.runtime import Runtime

_OWN = "Another folder"
_PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")


@dataclass(frozen=True, kw_only=True)
class View:
    """How a case is shown.

    Parameters
    ----------
    choice : MapChoice or None
        The heatmap; None for none.
    opacity : float
        Of the heatmap, in [0, 1].
    contour : float or None
        Level of its outline.
    """

    choice: MapChoice | None
    opacity: float
    contour: float | None


def choose_model() -> str:
    """Return the folder or the name of the model to use."""
    st.header("Model")
    known = list(settings().models)
    if not settings().own_model:
        return st.selectbox("Model", known, key="model") if len(known) > 1 else known[0]
    chosen = st.selectbox("Model", [*known, _OWN], key="model")
    if chosen != _OWN:
        return chosen
    folder = st.text_input(
        "Folder of the model",
        key="folder",
        placeholder="my-model",
        help="What `mri-tumor train` or `mri-tumor export` wrote on this computer.",
    )
    if not folder.strip():
        st.caption(f"Until then {known[0]} answers.")
        return known[0]
    return folder


def choose_view(model: Runtime) -> View:
    """Return how to show cases."""
    rule = model.rule_
    st.caption(
        f"Tells apart {', '.join(map(class_name, rule.classes))}. Calls a tumour from {percent(rule.threshold)} on. "
        + ("Calibrated." if is_calibrated(rule) else "**Not calibrated.**")
    )
    st.header("Heatmap")
    if not st.toggle("Show where the evidence lies", value=True, key="heatmap"):
        return View(choice=None, opacity=0.0, contour=None)
    opacity = st.slider("Opacity (%)", 0, 100, 45, 5, key="opacity")
    method = st.selectbox(
        "Method",
        list(METHODS),
        index=list(METHODS).index(model.explanation_),
        format_func=METHODS.__getitem__,
        key="method",
        help=ABOUT_METHODS,
    )
    finer = st.toggle(
        "Finer map",
        key="finer",
        help="Averages maps of moved and mirrored copies, or takes smaller steps: slower, less "
        "coarse.",
    )
    names = {"likeliest_tumor": "the likeliest tumour class", "tumor": "all tumour classes"}
    names |= {name: f"the class {class_name(name)}" for name in rule.classes}
    target = st.selectbox("Evidence for", list(names), format_func=names.__getitem__, key="target")
    outline = st.toggle("Outline the strongest half", key="outline")
    choice = MapChoice(target=target, method=method, finer=finer)
    return View(choice=choice, opacity=opacity / 100, contour=0.5 if outline else None)


def choose_plane() -> Plane:
    """Return how to cut NIfTI volumes."""
    st.header("Volumes")
    return st.selectbox("Cut NIfTI volumes", _PLANES, key="plane")


def say_privacy() -> None:
    """Say what happens to files."""
    st.divider()
    st.caption(
        "Files stay in the memory of the computer that runs this: they are not written, not "
        "logged, and sent nowhere else. No DICOM tag that names a person is shown."
    )
