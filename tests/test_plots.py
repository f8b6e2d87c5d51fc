"""Pictures: what is drawn, where, and that nothing stays open."""

import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from mri_tumor.errors import ParameterError
from mri_tumor.evaluation import precision_recall_curve, reliability_curve, roc_curve
from mri_tumor.labels import FOUR
from mri_tumor.plots import (
    plot_class_balance,
    plot_confusion_matrix,
    plot_history,
    plot_images,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
    plot_score_histogram,
)
from mri_tumor.plots.style import show_share

RNG = np.random.default_rng(0)
SIDES = RNG.random(120) < 0.4
SCORES = np.clip(RNG.normal(0.3 + 0.4 * SIDES, 0.2), 0, 1)
HISTORY = {
    "accuracy": [0.5, 0.7, 0.8],
    "val_accuracy": [0.5, 0.8, 0.75],
    "loss": [1.0, 0.5, 0.2],
    "val_loss": [0.9, 0.4, 0.6],
    "stage": ["head", "head", "finetune"],
}


IMAGE = np.zeros((20, 30), np.uint8)
DRAW = {
    "roc": lambda ax=None: plot_roc(
        {"tumor": roc_curve(SIDES, SCORES, n_bootstrap=20)}, point=(0.1, 0.9), ax=ax
    ),
    "precision-recall": lambda ax=None: plot_precision_recall(
        {"tumor": precision_recall_curve(SIDES, SCORES, n_bootstrap=20)}, ax=ax
    ),
    "reliability": lambda ax=None: plot_reliability(
        {"before": reliability_curve(SIDES, SCORES)}, ax=ax
    ),
    "confusion": lambda ax=None: plot_confusion_matrix(
        np.eye(4, dtype=int), FOUR, refused=[0, 1, 0, 0], ax=ax
    ),
    "scores": lambda ax=None: plot_score_histogram(SCORES, SIDES, threshold=0.4, ax=ax),
    "balance": lambda ax=None: plot_class_balance(
        {"train": {"a": 3, "b": 2}, "test": {"b": 1}}, ax=ax
    ),
    "history": lambda ax=None: plot_history(HISTORY, ax=ax),
    "images": lambda ax=None: plot_images(
        [IMAGE, None], ["a", "b"], heatmaps=[np.eye(5), np.eye(5)], ax=ax
    ),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_every_picture_can_be_written_and_none_stays_open(draw):
    before = plt.get_fignums()
    ax = draw()
    assert isinstance(ax.figure, Figure)
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png")
    assert len(buffer.getvalue()) > 3000
    assert plt.get_fignums() == before


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_every_picture_draws_on_the_axes_given(draw):
    own = Figure().subplots()
    assert draw(own) is own
    assert own.has_data() or own.child_axes or own.texts


@pytest.mark.parametrize("name", sorted(DRAW.keys() - {"images", "balance"}))
def test_axes_have_names(name):
    ax = DRAW[name]()
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def labels_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_curves_carry_their_area_interval_and_counts():
    curve = roc_curve(SIDES, SCORES, n_bootstrap=50)
    shown = labels_of(plot_roc({"tumor": curve}))
    low, high = (show_share(end) for end in curve.area_interval)
    expected = f"tumor: AUC {curve.area:.3f} ({low}-{high}), {SIDES.sum()} of 120"
    assert expected in shown
    bare = labels_of(plot_roc({"x": roc_curve(SIDES, SCORES, n_bootstrap=0)}))
    assert any(text == f"x: AUC {curve.area:.3f}, {SIDES.sum()} of 120" for text in bare)


def test_good_curves_are_shown_close_up():
    assert len(plot_roc({"a": roc_curve(SIDES, SIDES * 1.0, n_bootstrap=0)}).child_axes) == 1
    assert not plot_roc({"a": roc_curve(SIDES, SCORES, n_bootstrap=0)}).child_axes


def test_confusion_matrix_shows_counts_and_shares():
    ax = plot_confusion_matrix([[3, 1], [0, 0]], ["a", "b"])
    assert [text.get_text() for text in ax.texts] == ["3\n75.0%", "1\n25.0%", "0\n0.0%", "0\n0.0%"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "b"]
    refused = plot_confusion_matrix([[3, 1], [0, 0]], ["a", "b"], refused=(0, 2))
    assert refused.get_xticklabels()[-1].get_text() == "refused"
    assert refused.texts[-1].get_text() == "2\n100.0%"


def test_class_balance_counts():
    ax = plot_class_balance({"a": 3, "b": 1})
    assert [text.get_text() for text in ax.texts] == [" 3 (75%)", " 1 (25%)"]
    assert ax.get_xlabel() == "Images (4 in all)"
    split = plot_class_balance({"train": {"a": 3, "b": 2}, "test": {"b": 1}})
    assert labels_of(split) == ["train (5)", "test (1)"]
    plot_class_balance({})


def test_history_marks_the_best_epoch_and_the_stages():
    ax = plot_history(HISTORY)
    assert "best validation: 0.8000, epoch 2" in labels_of(ax)
    assert [text.get_text() for text in ax.texts] == ["head", "finetune"]
    loss = plot_history(HISTORY, metric="loss")
    assert "best validation: 0.4000, epoch 2" in labels_of(loss)
    plot_history({"loss": [1.0, None], "val_loss": [None, None]}, metric="loss")
    with pytest.raises(ParameterError, match="accuracy, loss"):
        plot_history(HISTORY, metric="auc")


def test_histogram_leaves_refused_images_out():
    ax = plot_score_histogram([0.1, np.nan, 0.9], [False, False, True])
    assert labels_of(ax) == ["no tumor (1 images)", "tumor (1 images)"]


def test_sheets_show_every_image_and_say_what_they_are():
    images = [np.zeros((10, 12), np.uint8), np.zeros((8, 8, 3), np.float32), None]
    ax = plot_images(images, ["$a$_1.png", "b", "c"], n_columns=2)
    assert len(ax.child_axes) == 3
    assert [text.get_text() for text in ax.texts] == ["Research software, not a medical device."]
    assert ax.child_axes[0].get_title() == "$a$_1.png"
    assert not ax.child_axes[0].title.get_parse_math()
    ax.figure.savefig(io.BytesIO())


def test_a_heatmap_lies_over_the_whole_image():
    class Map:
        values = np.eye(7)

    ax = plot_images([np.zeros((20, 30), np.uint8)], heatmaps=[Map()])
    image, heat = ax.child_axes[0].images
    assert image.get_extent() == list(heat.get_extent())
    # matplotlib keeps opacity by pixel: none where the map is 0.
    assert heat.get_alpha().min() == 0
    assert heat.get_alpha().max() == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: plot_confusion_matrix([[1]], ["a", "b"]), "matrix"),
        (lambda: plot_score_histogram([0.1], [True, False]), "length"),
        (lambda: plot_images([]), "empty"),
        (lambda: plot_images([None], ["a", "b"]), "titles"),
        (lambda: plot_images([None], heatmaps=[]), "heatmaps"),
    ],
)
def test_bad_arguments_are_named(call, said):
    with pytest.raises(ParameterError, match=said):
        call()


@pytest.mark.parametrize("value", [0, 0.3, 0.9994, 0.99999, 1 - 1e-9, 1e-9, 1])
def test_a_figure_never_looks_like_1_or_0_when_it_is_not(value):
    shown = show_share(value)
    assert (shown in ("1.000", "0.000")) == (value in (0, 1))
    assert float(shown.strip("<>")) == pytest.approx(value, abs=6e-4)


def test_importing_loads_no_framework():
    code = (
        "import sys, mri_tumor.plots, mri_tumor.evaluation\n"
        "heavy = {'matplotlib', 'tensorflow', 'keras', 'sklearn', 'pandas', 'seaborn', 'scipy'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_no_warning_where_a_class_has_no_images():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_confusion_matrix(np.zeros((4, 4), int), FOUR).figure.savefig(io.BytesIO())
