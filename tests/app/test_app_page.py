"""The page by Streamlit's own test bench, in this process and without a browser."""

import sys
from pathlib import Path

import pytest

import mri_tumor.app
from mri_tumor.app.settings import configure

pytest.importorskip("streamlit")
from streamlit.testing.v1 import AppTest

SCRIPT = Path(mri_tumor.app.__file__).with_name("script.py")
NOTICE = "Research software, not a medical device. Do not use it for diagnosis or treatment."
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def page():
    before = "tensorflow" in sys.modules
    started = AppTest.from_file(str(SCRIPT), default_timeout=120).run()
    assert not started.exception
    yield started
    assert not started.exception
    assert next(one.value for one in started.warning) == NOTICE
    assert before or "tensorflow" not in sys.modules


def show_samples(page):
    page.session_state["kind"] = "Synthetic samples"
    return page.run()


def pick(page, number):
    box = next(one for one in page.selectbox if one.label == "Look at")
    return box.set_value(box.options[number]).run()


def test_nothing_is_said_before_there_is_a_file(page):
    assert not page.metric
    assert not page.error
    assert page.file_uploader[0].label.startswith("Images (PNG")


def test_samples_are_answered_with_words_and_classes(page):
    show_samples(page)
    assert page.subheader[0].value == "5 answers"
    assert len(page.dataframe[0].value) == 5
    assert page.metric[0].label == "Probability of a tumour"
    said = " ".join(one.value for one in page.caption)
    assert "of 100 images that get this value" in said.replace("\\", "")
    assert "not where a tumour is" in said


def test_a_refused_picture_gets_no_probability_and_no_heatmap(page):
    show_samples(page)
    pick(page, 4)
    assert not page.metric
    assert "Refused: no answer" in page.warning[1].value.replace("\\", "")
    assert "healthy" in page.warning[1].value
    assert len(page.get("image")) == 1


def test_heatmap_choices_are_kept_until_they_change(page):
    show_samples(page)
    kept = page.session_state["maps"]
    assert len(kept) == 1
    page.slider(key="opacity").set_value(80).run()
    assert len(page.session_state["maps"]) == 1
    page.toggle(key="finer").set_value(True).run()
    assert len(page.session_state["maps"]) == 2
    page.toggle(key="heatmap").set_value(False).run()
    assert len(page.get("image")) == 1


def test_a_folder_that_holds_no_model_is_one_error_line(page):
    page.selectbox(key="model").set_value("Another folder").run()
    page.text_input(key="folder").set_value("/nowhere/at/all").run()
    (error,) = page.error
    assert "is no saved model" in error.value.replace("\\", "")


def test_no_folder_can_be_typed_where_others_reach_the_app():
    configure(own_model=False)
    try:
        page = AppTest.from_file(str(SCRIPT), default_timeout=120).run()
        assert not [one for one in page.selectbox if one.key == "model"]
        assert not page.text_input
    finally:
        configure(own_model=True)


def test_a_failure_shows_no_traceback_and_no_content(page, monkeypatch):
    def fail(*_args, **_options):
        raise RuntimeError("SECRETNAME")

    monkeypatch.setattr("mri_tumor.app.page.assess_cases", fail)
    show_samples(page)
    (error,) = page.error
    assert "RuntimeError" in error.value
    assert "SECRET" not in error.value
