"""What the app says and shows, without a browser."""

import csv
import io
import subprocess
import sys
import threading

import numpy as np
import pytest
from app_samples import drawn, png, series, volume
from PIL import Image
from scan_samples import SECRET

from mri_tumor.answers.rule import DecisionRule
from mri_tumor.app import settings as app_settings
from mri_tumor.app.case_view import _slice_note
from mri_tumor.app.cases import Case, assess_cases
from mri_tumor.app.escaping import plain
from mri_tumor.app.heatmaps import MapChoice, make_heatmap
from mri_tumor.app.models import open_model
from mri_tumor.app.samples import sample_scans
from mri_tumor.app.serving import _free_port, keep_uploads_in_memory, options
from mri_tumor.app.sheet import Page, write_page
from mri_tumor.app.tables import answer_rows, answers_csv
from mri_tumor.app.words import percent, probability_in_words, verdict
from mri_tumor.errors import BundleError, ParameterError
from mri_tumor.images.scans import uploaded_scans
from mri_tumor.images.sources import Upload

RULE = DecisionRule(classes=("glioma", "notumor"), negative_class="notumor", threshold=0.8)


def row(status="ok", label="notumor", p=0.1, message=""):
    return {"status": status, "label": label, "tumor_probability": p, "message": message}


@pytest.fixture(scope="module")
def model():
    return open_model("brain-mri")


@pytest.fixture(scope="module")
def samples(model):
    return assess_cases(model, sample_scans())


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (row("refused", None, None, "it is no slice"), "refused", "It is no slice."),
        (row("error", None, None, "a.png: is empty. Copy it again."), "error", "a.png: is empty"),
        (row("uncertain", "notumor", 0.4, "neither can be excluded"), "uncertain", "no tumour"),
        (row("uncertain", "glioma", 0.9, "neither can be excluded"), "uncertain", "glioma"),
        (row("ok", "notumor", 0.7), "uncertain", "Look again"),
        (row("ok", "notumor", 0.1), "no tumor", "below the threshold"),
        (row("ok", "glioma", 0.95), "tumor", "from 80% on"),
    ],
)
def test_no_answer_is_ever_one_of_health(answer, kind, said):
    found = verdict(answer, RULE)
    assert found.kind == kind
    assert said in found.meaning
    denied = "nothing about whether the person is healthy"
    assert (denied in found.meaning) == (kind not in ("tumor", "error"))
    words = f"{found.title} {found.meaning}".replace(denied, "").lower()
    assert not any(word in words for word in ("healthy", "normal", "fine"))


@pytest.mark.parametrize("value", [1e-9, 0.004, 0.4, 0.996, 1 - 1e-12])
def test_percentages_are_never_rounded_to_certainty(value):
    assert percent(value) not in {"0%", "100%"}
    assert percent(1.0) == "100%"


def test_a_probability_is_a_frequency_only_where_it_was_calibrated(model):
    assert "not calibrated" in probability_in_words(0.3, RULE)
    assert "about 30 show a tumour" in probability_in_words(0.3, model.rule_)
    assert "mean of the slices" in probability_in_words(0.3, model.rule_, volume=True)
    assert "more than 99 show" in probability_in_words(0.9999, model.rule_)


def test_samples_are_drawn_and_the_one_that_is_no_scan_is_refused(samples):
    assert [case.row["status"] for case in samples][-1] == "refused"
    assert all(case.name.startswith("drawn: ") for case in samples)
    assert all(case.image().shape == (256, 256) for case in samples)


def test_a_volume_keeps_an_answer_for_each_slice(model):
    seen = []
    scans = uploaded_scans([Upload("v.nii.gz", volume()), Upload("a.png", png(drawn(1)))])
    found, image = assess_cases(model, list(scans), progress=lambda *step: seen.append(step))
    assert seen == [(done, 7) for done in range(1, 8)]
    assert found.is_volume
    assert not image.is_volume
    assert len(found.slices) == 6
    assert found.slices[0]["status"] == "refused"
    start, end = found.row["decided_by"]
    assert start <= found.best_slice <= end
    assert found.row_of(0)["status"] == "refused"
    small = np.array(Image.fromarray(drawn(0)).resize((96, 96)))
    assert np.corrcoef(found.image(1).ravel(), small.ravel())[0, 1] > 0.98


def test_a_slice_without_an_answer_decided_nothing():
    slices = [row(p=0.9), row("refused", None, None, "no scan"), row(p=0.8), row(p=0.1)]
    whole = {**row(p=0.85), "kind": "volume", "slices": 4, "decided_by": [0, 2]}
    case = Case("v.nii.gz", whole, tuple(slices), ())
    assert case.deciding == [0, 2]
    assert case.best_slice == 0
    assert case.deciding_in_words == "Slices 0 to 2, without 1, decided for the volume."
    assert _slice_note(case, 1).startswith("Slice 1 of 0 to 3: no scan. Slices 0 to 2, without 1")
    refused = {**row("refused", None, None), "decided_by": None}
    assert Case("v", refused, tuple(slices), (None,) * 4).best_slice == 1
    assert Case("v", refused, tuple(slices), ()).deciding_in_words == ""


def test_a_bad_file_is_a_case_with_one_line(model):
    scans = uploaded_scans([Upload("![x](http://evil).png", b"\x89PNG\r\n\x1a\nrest")])
    (case,) = assess_cases(model, list(scans))
    assert case.row["status"] == "error"
    assert "\n" not in case.row["message"]
    assert "[x](" not in plain(case.row["message"])


@pytest.mark.parametrize("method", ["grad_cam", "occlusion"])
def test_the_finer_map_is_another_map(model, method):
    coarse, fine = (
        make_heatmap(model, drawn(0), MapChoice(method=method, finer=finer))
        for finer in (False, True)
    )
    assert coarse.values.shape == fine.values.shape == (256, 256)
    assert np.abs(coarse.values - fine.values).max() > 0.05
    assert np.corrcoef(coarse.values.ravel(), fine.values.ravel())[0, 1] > 0.5


def test_table_and_csv_hold_every_answer(model, samples):
    classes = [str(name) for name in model.classes_]
    rows = answer_rows(samples, model.rule_)
    assert [line["File"] for line in rows] == [case.name for case in samples]
    assert rows[-1]["P(tumour)"] is None
    assert rows[-1]["Answer"].startswith("Refused")
    text = answers_csv(samples, classes).decode()
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["file"] for line in lines] == [case.name for case in samples]
    assert float(lines[0]["tumor_probability"]) == samples[0].row["tumor_probability"]
    assert lines[-1]["tumor_probability"] == ""


def test_a_dicom_series_is_one_case_and_names_no_patient(model):
    uploads = [Upload(name, content) for name, content in series().items()]
    uploads.append(Upload("cut.dcm", uploads[0].data[:4000]))
    cases = assess_cases(model, list(uploaded_scans(uploads)))
    assert [(case.name, len(case.pictures)) for case in cases] == [("series", 3), ("cut.dcm", 1)]
    assert cases[0].row["label"] is not None
    assert cases[1].row["status"] == "error"
    page = Page(name="series", row=cases[0].row, rule=model.rule_, model="m", image=drawn(0))
    found = [repr(answer_rows(cases, model.rule_)), answers_csv(cases, list(model.classes_))]
    found += [repr(case) for case in cases] + [write_page(page, kind="pdf")]
    assert not any(SECRET in str(one) for one in found)


def test_names_cannot_be_formulas(model):
    scans = uploaded_scans([Upload("=1+1.png", png(drawn(0)))])
    cases = assess_cases(model, list(scans))
    assert answer_rows(cases, model.rule_)[0]["File"] == "'=1+1.png"
    assert b"'=1+1.png" in answers_csv(cases, list(model.classes_))


def test_the_page_is_a_picture_and_a_pdf(model, samples):
    case = samples[0]
    heatmap = make_heatmap(model, case.image(), MapChoice())
    page = Page(
        name="a$b.png", row=case.row, rule=model.rule_, model="brain-mri",
        image=case.image(), heatmap=heatmap,
    )  # fmt: skip
    picture = Image.open(io.BytesIO(write_page(page)))
    assert picture.size == (992, 1402)
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    # Colour comes from the heatmap (right half, as much as it has), the warning and the bars.
    colour = np.ptp(pixels, axis=2) > 60
    overlay = np.ptp(heatmap.overlay(opacity=page.opacity).astype(int), axis=2) > 60
    side = 0.41 * 992
    assert overlay.sum() > 500
    assert colour[420:760, 496:].sum() == pytest.approx(overlay.mean() * side**2, rel=0.02)
    assert not colour[420:760, :490].any()
    refused = Page(name="b", row=samples[-1].row, rule=model.rule_, model="m", image=drawn(4))
    pdf = write_page(refused, kind="pdf")
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf


def test_a_model_is_loaded_once_and_a_missing_one_named(model):
    assert open_model("brain-mri") is model
    with pytest.raises(BundleError, match="nowhere"):
        open_model("some/nowhere")


def test_sessions_that_share_a_model_keep_their_cases_apart(model):
    images = [drawn(number) for number in range(4)]
    expected = [model.assess([image])[0].probabilities for image in images]
    found = {}

    def session(number):
        scans = list(uploaded_scans([Upload(f"{number}.png", png(images[number]))]))
        found[number] = [assess_cases(model, scans)[0].row["probabilities"] for _ in range(5)]

    threads = [threading.Thread(target=session, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, probabilities in enumerate(expected):
        assert all(one == pytest.approx(probabilities, abs=1e-5) for one in found[number])


def test_the_server_is_for_this_computer_and_sends_nothing():
    flags = options(host="localhost", port=1, max_upload_mb=7)
    assert flags["server_address"] == "localhost"
    assert flags["browser_gatherUsageStats"] is False
    assert flags["client_showErrorDetails"] == "none"
    assert flags["server_maxUploadSize"] == 7
    assert not app_settings.AppSettings(own_model=False).own_model


def test_uploads_of_the_largest_size_pass_no_scratch_file(monkeypatch):
    formparsers = pytest.importorskip("starlette.formparsers")
    monkeypatch.setattr(formparsers.MultiPartParser, "spool_max_size", 2**20)
    keep_uploads_in_memory(200)
    assert formparsers.MultiPartParser.spool_max_size > 200 * 2**20


def test_a_port_in_use_is_named():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ParameterError, match=rf"port {port} .*--port"):
            _free_port("127.0.0.1", port)
    assert _free_port("127.0.0.1", 0) > 0


def test_neither_framework_nor_streamlit_comes_with_the_app():
    code = (
        "import sys, mri_tumor.app, mri_tumor.app.cases, mri_tumor.app.models as m\n"
        "m.open_model('brain-mri')\n"
        "sys.exit(', '.join({'tensorflow', 'keras', 'streamlit', 'sklearn', 'matplotlib'}"
        " & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
