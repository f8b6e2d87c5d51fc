"""What is drawn from data: classes, confusions, variants; and how objects show in a notebook."""

import numpy as np
import pytest
from PIL import Image

from mri_tumor.assessment import Assessment, failed, refused
from mri_tumor.errors import ParameterError
from mri_tumor.evaluation import evaluate_predictions
from mri_tumor.images import read_image
from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.labels import FOUR
from mri_tumor.plots import plot_augmentation, plot_scores_by_class
from mri_tumor.training.augmentation import Variants, get_augmentation

SMALL = Preprocessing(size=64)


@pytest.fixture
def report(tmp_path):
    """Six images; two gliomas called meningioma, one meningioma called glioma."""
    labels = ["glioma", "glioma", "glioma", "meningioma", "notumor", "notumor"]
    rows = [
        [0.1, 0.81, 0.04, 0.05], [0.2, 0.7, 0.04, 0.06], [0.9, 0.05, 0.02, 0.03],
        [0.6, 0.3, 0.04, 0.06], [0.0, 0.09, 0.91, 0.0], [0.0, 0.0, 1.0, 0.0],
    ]  # fmt: skip
    files = []
    for number in range(6):
        files.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(np.full((20, 20 + number), 40 * number, np.uint8)).save(files[-1])
    return evaluate_predictions(
        labels, rows, classes=FOUR, threshold=0.5, files=files, n_bootstrap=0,
        refused=[False, False, False, False, False, True],
    )  # fmt: skip


def test_the_most_confused_images_are_drawn_the_most_certain_first(report):
    assert report.most_confused()[0] == ("glioma", "meningioma", 2)
    assert [row["index"] for row in report.confused()] == [0, 1]
    ax = report.plot_most_confused()
    assert [one.get_title() for one in ax.child_axes] == [
        "0.png\nglioma\ncalled meningioma, 0.810", "1.png\nglioma\ncalled meningioma, 0.700",
    ]  # fmt: skip
    assert [one.images[0].get_array().shape for one in ax.child_axes] == [(20, 20), (20, 21)]


def test_another_pair_may_be_asked_for_with_heatmaps(report):
    heat = np.eye(4)
    ax = report.plot_most_confused(pair=("meningioma", "glioma"), heatmaps=[heat])
    (only,) = ax.child_axes
    assert only.get_title().startswith("3.png")
    np.testing.assert_array_equal(only.images[1].get_array(), heat)
    with pytest.raises(ParameterError, match=r"no class 'gliom'.* 'glioma'\?"):
        report.plot_most_confused(pair=("gliom", "notumor"))
    with pytest.raises(ParameterError, match="nothing to draw"):
        report.plot_most_confused(pair=("notumor", "glioma"))


def test_scores_of_each_class_stand_in_their_bins(report):
    ax = report.plot_scores_by_class()
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == [
        "glioma\n(3 images)",
        "meningioma\n(1 images)",
        "notumor\n(1 images, 1 refused)",
    ]
    bars = {bar.get_label(): bar for bar in ax.containers}
    # P(tumor) of the gliomas: 0.96, 0.96, 0.98; bins are a fortieth wide.
    heights = [patch.get_height() for patch in bars["glioma"]]
    assert np.flatnonzero(heights).tolist() == [38, 39]
    assert heights[38] == pytest.approx(0.85 * np.sqrt(2 / 3))
    assert sum((height / 0.85) ** 2 for height in heights) == pytest.approx(1)
    # The healthy image that was answered, 0.09, at the foot of the picture.
    healthy = [patch.get_height() for patch in bars["notumor"]]
    assert np.flatnonzero(healthy).tolist() == [3]
    assert bars["notumor"][0].get_y() == 0
    assert ax.lines[-1].get_xdata()[0] == 0.5


def test_scores_need_a_label_each():
    with pytest.raises(ParameterError, match="one length"):
        plot_scores_by_class([0.5], ["a", "b"])
    ax = plot_scores_by_class([0.2, np.nan], ["a", "a"], n_bins=4)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a\n(1 images, 1 refused)"]


def test_augmentation_shows_what_training_sees():
    rng = np.random.default_rng(3)
    image = np.pad(rng.integers(60, 255, (50, 40)).astype(np.uint8), 10)
    ax = plot_augmentation(image, policy="standard", n_variants=3, settings=SMALL, seed=5)
    titles = [one.get_title() for one in ax.child_axes]
    assert titles == ["unchanged", "variant 1", "variant 2", "variant 3"]
    make = Variants(SMALL, get_augmentation("standard"), seed=5)
    drawn = [one.images[0].get_array() for one in ax.child_axes]
    for number, pixels in enumerate(drawn):
        np.testing.assert_array_equal(pixels, make(image, 0, number)[0])
    assert np.abs(drawn[0].astype(int) - drawn[1]).max() > 20


@pytest.mark.parametrize(
    ("options", "said"),
    [({"policy": None}, "policy"), ({"n_variants": 0}, "n_variants"), ({"policy": "x"}, "'x'")],
)
def test_augmentation_says_what_is_wrong(options, said):
    with pytest.raises(ParameterError, match=said):
        plot_augmentation(np.zeros((20, 20), np.uint8), settings=SMALL, **options)


def test_an_assessment_shows_as_what_it_is_in_a_notebook():
    answered = Assessment(
        file="<b>.png", label="notumor", tumor_probability=0.125,
        probabilities={"notumor": 0.875, "glioma": 0.125}, status="uncertain", message="a & b",
    )._repr_html_()  # fmt: skip
    assert "&lt;b&gt;.png" in answered
    assert "uncertain" in answered
    assert "0.125" in answered
    assert "a &amp; b" in answered
    for nothing in (refused("a.png", "no slice"), failed("a.png", ValueError("empty"))):
        shown = nothing._repr_html_()
        assert "no answer" in shown
        assert "P(" not in shown
        assert "not a medical device" in shown


def test_the_report_and_the_classifier_show_in_a_notebook(report):
    assert "Confusion matrix" in report._repr_html_()
    from mri_tumor.classifier import TumorClassifier

    assert "TumorClassifier" in TumorClassifier()._repr_html_()


def test_a_drawn_sheet_reads_the_files(report, tmp_path):
    (tmp_path / "0.png").unlink()
    ax = report.plot_most_confused()
    assert ax.child_axes[0].texts[0].get_text() == "cannot be read"
    np.testing.assert_array_equal(
        ax.child_axes[1].images[0].get_array(), read_image(tmp_path / "1.png")
    )
