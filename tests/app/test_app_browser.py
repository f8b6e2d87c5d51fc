"""The app in a real browser: a server of its own, and Chromium without a window.

With ``MRI_TUMOR_SCREENSHOTS=docs/images`` the pictures of the how-to are drawn anew; they show
drawn slices only.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from app_samples import drawn, png, series, volume
from scan_samples import SECRET

from mri_tumor.bundle import packaged_bundle

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("streamlit")

CHROMIUM = os.environ.get("MRI_TUMOR_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)"
)
MAIN = "import sys; from mri_tumor.cli import main; sys.argv[0] = 'mri-tumor'; main()"
NOTICE = "Research software, not a medical device. Do not use it for diagnosis or treatment."
PATIENCE = 60_000
WIDE, NARROW = {"width": 1280, "height": 1000}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a server that takes files of 2 MB, its scratch folder, and what it logged."""
    folder = tmp_path_factory.mktemp("server")
    scratch, log = folder / "scratch", folder / "log.txt"
    scratch.mkdir()
    command = [sys.executable, "-c", MAIN, "app", "--port", "0", "--json", "--max-upload", "2"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True,
            env={**os.environ, "TMPDIR": str(scratch), "HOME": str(folder)},
        )  # fmt: skip
        try:
            yield json.loads(process.stdout.readline())["url"], scratch, log
        finally:
            process.terminate()
            process.stdout.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:  # a machine that is busy with much else
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


@pytest.fixture
def visit(server, browser):
    """Open the app as another user each time; nothing may come from another host."""
    contexts, asked = [], []

    def open_page(viewport=WIDE, **options):
        context = browser.new_context(viewport=viewport, accept_downloads=True, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server[0])
        page.get_by_test_id("stFileUploader").wait_for()
        assert page.get_by_text(NOTICE).first.is_visible()
        return page

    yield open_page
    for context in contexts:
        context.close()
    hosts = {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {urlsplit(server[0]).netloc}


def upload(page, *files):
    page.locator("input[type=file]").first.set_input_files(
        [{"name": name, "mimeType": kind, "buffer": data} for name, kind, data in files]
    )


def image(name, number=0):
    return name, "image/png", png(drawn(number))


def expect(found):
    """What the page shows in the end: what it showed before stays until its script has run."""
    return sync_api.expect(found)


def settled(page):
    """Wait until nothing is being computed."""
    page.wait_for_function(
        "document.querySelector('[data-test-script-state]')"
        "?.getAttribute('data-test-script-state') === 'notRunning'"
        " && !document.querySelector('[data-stale=true]')"
    )


def shoot(page, name, *, at=None):
    folder = os.environ.get("MRI_TUMOR_SCREENSHOTS")
    if folder:
        settled(page)
        if at is not None:
            at.scroll_into_view_if_needed()
        page.wait_for_timeout(800)  # until the table and the pictures have faded in
        page.screenshot(path=Path(folder) / f"app-{name}.png")


def test_a_scan_is_answered_with_its_heatmap_beside_it(visit, capsys):
    page = visit()
    upload(page, image("warm-up.png", 1))
    page.get_by_alt_text("The scan with a heatmap").wait_for()
    page.get_by_role("button", name="Remove warm-up.png").click()
    page.get_by_alt_text("The scan with a heatmap").wait_for(state="detached")
    began = time.perf_counter()
    upload(page, image("scan.png"))
    page.get_by_alt_text("The scan with a heatmap").wait_for()
    with capsys.disabled():
        print(f" [{time.perf_counter() - began:.2f} s from upload to result]", end="")
    settled(page)
    assert page.get_by_text("Called: glioma").is_visible()
    assert page.get_by_text("of 100 images that get this value").is_visible()
    expect(page.get_by_role("progressbar")).to_have_count(4)
    shoot(page, "case", at=page.get_by_alt_text("The scan with a heatmap"))


def test_bad_and_huge_files_get_one_line_each_and_no_answer(visit):
    page = visit()
    wide = np.zeros((9000, 9000), np.uint8)
    upload(
        page,
        ("notes.txt", "text/plain", b"no image at all"),
        ("cut.png", "image/png", png(drawn(0))[:900]),
        ("bomb.png", "image/png", png(wide)),
    )
    page.get_by_text("3 answers").wait_for()
    settled(page)
    assert page.get_by_text("3 without an answer").is_visible()
    assert page.get_by_text("notes.txt: is no image").or_(page.get_by_text("Cannot be read")).first
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    page = visit()
    upload(page, ("large.png", "image/png", png(drawn(0)) + bytes(3 * 2**20)))
    page.get_by_text(re.compile("2\\.?0?MB or smaller")).wait_for()
    settled(page)
    expect(page.get_by_test_id("stMetric")).to_have_count(0)


def test_a_volume_has_a_slider(visit):
    page = visit()
    upload(page, ("brain.nii.gz", "application/gzip", volume()))
    slider = page.get_by_role("slider", name="Slice")
    slider.wait_for()
    settled(page)
    first = page.get_by_alt_text("The scan in grey").get_attribute("src")
    at = int(
        re.match(
            r"Slice (\d+) ", page.get_by_text(re.compile(r"^Slice \d+ of 0 to \d+: ")).inner_text()
        )[1]
    )
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text(re.compile(f"^Slice {at + 1} of ")).wait_for()
    settled(page)
    assert page.get_by_alt_text("The scan in grey").get_attribute("src") != first
    assert page.get_by_text(re.compile("decided for the volume")).is_visible()
    shoot(page, "volume", at=slider)
    slider.focus()
    page.keyboard.press("Home")
    page.get_by_text(re.compile("^Slice 0 of .*")).wait_for()
    settled(page)
    expect(page.get_by_alt_text("The scan with a heatmap")).to_have_count(0)


def test_a_dicom_file_is_an_image_and_a_folder_of_a_series_a_volume(visit, tmp_path):
    page = visit()
    files = series()
    upload(page, ("IM0", "application/dicom", files["IM0"]))
    page.get_by_alt_text("The scan with a heatmap").wait_for()
    expect(page.get_by_role("slider", name="Slice")).to_have_count(0)
    study = tmp_path / "study"
    study.mkdir()
    for name, content in files.items():
        (study / name).write_bytes(content)
    page.get_by_text("Folder", exact=True).first.click()
    page.get_by_text("A folder, such as a DICOM series").first.wait_for()
    page.locator("input[type=file]").first.set_input_files(study)
    page.get_by_role("slider", name="Slice").wait_for()
    settled(page)
    assert page.get_by_text(re.compile("decided for the volume")).is_visible()
    assert SECRET not in page.content()


def test_a_model_of_ones_own_answers(visit, tmp_path):
    own = shutil.copytree(packaged_bundle("brain-mri"), tmp_path / "own")
    metadata = json.loads((own / "metadata.json").read_text())
    metadata["threshold"] = 0.37
    (own / "metadata.json").write_text(json.dumps(metadata))
    page = visit()
    choose(page, "Model", "Another folder")
    folder = page.get_by_role("textbox", name="Folder of the model")
    folder.fill(str(own))
    folder.press("Enter")
    page.get_by_text("Calls a tumour from 37% on").wait_for()
    upload(page, image("scan.png"))
    page.get_by_test_id("stMetric").wait_for()
    folder.fill(str(tmp_path / "nothing"))
    folder.press("Enter")
    page.get_by_test_id("stAlert").filter(has_text="nothing").wait_for()
    settled(page)
    expect(page.get_by_test_id("stMetric")).to_have_count(0)


def choose(page, box, name):
    """Choose in a list; a page that is still being drawn closes it again."""
    from playwright.sync_api import TimeoutError as TooLate

    for _ in range(6):
        page.get_by_role("combobox", name=box).click()
        try:
            page.get_by_role("option", name=name).click(timeout=5_000)
        except TooLate:
            continue
        return
    pytest.fail(f"{box} does not offer {name!r}")


def test_many_files_are_a_table_and_a_csv_and_a_page(visit, tmp_path):
    page = visit()
    page.get_by_text("Synthetic samples", exact=True).first.click()
    page.get_by_text("5 answers").wait_for()
    settled(page)
    shoot(page, "table")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all as CSV").click()
    download.value.save_as(tmp_path / "answers.csv")
    lines = (tmp_path / "answers.csv").read_text().splitlines()
    assert lines[0].startswith("file,kind,slice,label,tumor_probability,p_glioma")
    assert len(lines) == 6
    for kind, start in (("PDF", b"%PDF"), ("PNG", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Page as {kind}").click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.name == f"drawn-glioma.{kind.lower()}"
        assert path.read_bytes().startswith(start)
    choose(page, "Look at", "5. drawn: no scan at all")
    refused = page.get_by_test_id("stAlert").filter(has_text="Refused: no answer")
    refused.wait_for()
    settled(page)
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    shoot(page, "refused", at=refused)


def test_two_users_at_once_never_see_each_others_cases(visit):
    pages = [visit(), visit()]
    names = ["anna.png", "bert.png"]
    for turn in range(2):
        for number, (page, name) in enumerate(zip(pages, names, strict=True)):
            upload(page, image(f"{turn}-{name}", 3 * number))
        for page, name in zip(pages, names, strict=True):
            page.get_by_role("heading", name=f"0-{name}").wait_for()
    answers = []
    for page, own, other in zip(pages, names, reversed(names), strict=True):
        page.get_by_text("2 answers").wait_for()
        settled(page)
        assert page.get_by_role("heading", name=f"0-{own}").is_visible()
        expect(page.get_by_text(other)).to_have_count(0)
        answers.append(page.get_by_test_id("stMetric").inner_text())
    assert answers[0] != answers[1]


def test_a_narrow_dark_screen_shows_the_same(visit):
    page = visit(NARROW, color_scheme="dark")
    upload(page, image("scan.png"))
    page.get_by_alt_text("The scan with a heatmap").wait_for()
    settled(page)
    scan, heatmap = (
        page.get_by_alt_text(alt).bounding_box()
        for alt in ("The scan in grey", "The scan with a heatmap")
    )
    assert scan["y"] + scan["height"] <= heatmap["y"]  # one under the other
    assert 300 < heatmap["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shoot(page, "narrow")


def test_nothing_was_written_or_logged(server):
    """The last test: what the others left behind."""
    _, scratch, log = server
    assert [path for path in scratch.rglob("*") if path.is_file()] == []
    assert not any(name in log.read_text() for name in ("scan", "anna", "bomb", "Traceback"))
