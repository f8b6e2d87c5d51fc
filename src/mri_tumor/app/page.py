"""The page: choose what to look at, then look."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import streamlit as st
from PIL import Image, ImageDraw

from mri_tumor.app.case_view import show_case
from mri_tumor.app.cases import Case, assess_cases
from mri_tumor.app.controls import choose_model, choose_plane, choose_view, say_privacy
from mri_tumor.app.escaping import plain
from mri_tumor.app.list_view import choose_case
from mri_tumor.app.samples import sample_scans
from mri_tumor.app.settings import settings
from mri_tumor.app.words import WARNING
from mri_tumor.errors import MRITumorError
from mri_tumor.images.scans import uploaded_scans
from mri_tumor.images.sources import Upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mri_tumor.images.options import Plane
    from mri_tumor.images.scans import Scan
    from mri_tumor.runtime import Runtime

FILES, FOLDER, SAMPLES = "Files", "Folder", "Synthetic samples"
# Uploads of one session that are held in memory, as a multiple of the largest file.
_MOST_FILES_LARGE = 4


def show() -> None:
    """Draw the page for one session."""
    st.set_page_config(page_title="mri-tumor", page_icon=_icon(), layout="wide")
    st.title("Brain MRI slices: tumour or not?")
    st.warning(WARNING, icon=":material/science:")
    try:
        _show()
    except MRITumorError as error:
        st.error(plain(str(error)))
    except Exception as error:  # noqa: BLE001 - a traceback could quote what a file holds
        logging.getLogger("mri_tumor.app").error("%s in a session", type(error).__name__)
        st.error(
            f"The app failed ({type(error).__name__}). Reload the page; if it happens again with "
            "the same file, please report it, without the file."
        )


def _show() -> None:
    with st.sidebar:
        name = choose_model()
        model = _open(name)
        view = choose_view(model)
        plane = choose_plane()
        say_privacy()
    uploads, scans = _choose_scans(plane)
    if not scans:
        return
    answers = st.empty()
    cases = _answers(model, (name, plane, *uploads), scans, answers)
    with answers.container():
        case = choose_case(cases, model) if len(cases) > 1 else cases[0]
        # Without this, the browser shows an older answer under a newer name for a moment.
        one = st.empty()
        if st.session_state.get("shown") is not case:
            one.empty()
        with one.container():
            show_case(case, model, view, name=name)
        st.session_state["shown"] = case
        st.caption(WARNING)


def _open(name: str) -> Runtime:
    from mri_tumor.app.models import open_model

    return open_model(name)


def _choose_scans(plane: Plane) -> tuple[Sequence[str], list[Scan]]:
    """Return what tells the choice from another one, and the scans."""
    kind = st.segmented_control(
        "Look at", [FILES, FOLDER, SAMPLES], default=FILES, required=True, key="kind"
    )
    if kind == SAMPLES:
        st.caption(
            "Drawn by a program: no pixel comes from a person, and the answers say nothing about "
            "how well the model does on real scans."
        )
        return [SAMPLES], sample_scans()
    limit = settings().max_upload_mb
    label, many = (
        ("A folder, such as a DICOM series", "directory")
        if kind == FOLDER
        else ("Images (PNG, JPEG, TIFF, BMP, WebP, GIF), DICOM files or NIfTI volumes", True)
    )
    files: Any = st.file_uploader(
        label,
        accept_multiple_files=many,  # type: ignore[arg-type]
        max_upload_size=limit,
        key=f"uploads-{kind}",
        help="Files stay in memory until you remove them or close the page. DICOM files of one "
        "series become one volume.",
    )
    if not files:
        st.caption("No file at hand? Choose *Synthetic samples* above.")
        return [], []
    if sum(file.size for file in files) > _MOST_FILES_LARGE * limit * 2**20:
        st.error(
            f"These files have more than {_MOST_FILES_LARGE * limit} MB together. Remove some, or "
            "use `mri-tumor predict FOLDER` for many."
        )
        return [], []
    uploads = [Upload(file.name, file.getvalue()) for file in files if not _is_hidden(file.name)]
    bound = settings().max_bytes
    scans = uploaded_scans(
        uploads, plane=plane, max_bytes=bound, max_volume_bytes=_MOST_FILES_LARGE * bound
    )
    return [file.file_id for file in files], list(scans)


def _is_hidden(name: str) -> bool:
    # .DS_Store and Thumbs.db come along with folders.
    last = name.rsplit("/", 1)[-1]
    return last.startswith(".") or last == "Thumbs.db"


def _icon() -> Image.Image:
    """Draw the page's icon: one of Streamlit's own would be fetched from elsewhere."""
    icon = Image.new("RGB", (32, 32), "black")
    draw = ImageDraw.Draw(icon)
    draw.ellipse((4, 2, 28, 30), fill="#9a9a9a", outline="white")
    draw.ellipse((16, 9, 24, 17), fill="#ffd166")
    return icon


def _answers(model: Runtime, choice: tuple[Any, ...], scans: list[Scan], place: Any) -> list[Case]:
    """Answer once for each choice; what is kept belongs to this session alone."""
    key = (id(model), *choice)
    kept = st.session_state.get("answers")
    if kept and kept[0] == key:
        found: list[Case] = kept[1]
        return found
    # Let go of the older volumes before the new ones fill the memory.
    st.session_state["answers"] = None
    st.session_state["shown"] = None
    st.session_state["maps"] = {}
    place.empty()

    def progress(done: int, total: int) -> None:
        if total > 32 and (done % 16 == 0 or done == total):
            place.progress(done / total, f"{done:,} of {total:,} slices")

    cases = assess_cases(model, scans, progress=progress)
    st.session_state["answers"] = (key, cases)
    return cases
