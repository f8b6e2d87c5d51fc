"""Pictures of a report, and the HTML file with its JSON twin."""

import base64
import io
import json
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation import (
    EvaluationReport,
    evaluate_predictions,
    reliability_curve,
    write_html_report,
)
from mri_tumor.evaluation.claim import claim_items
from mri_tumor.evaluation.html_parts import facts, plainly
from mri_tumor.labels import BINARY, FOUR

EVIL = "<img src=x onerror=alert('1')>&\"_%d.png"


def evaluated(*, classes=FOUR, n=60, files=None, **options):
    rng = np.random.default_rng(0)
    truth = np.arange(n) % len(classes)
    logits = rng.normal(size=(n, len(classes)))
    logits[np.arange(n), truth] += 2
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    return evaluate_predictions(
        [classes[i] for i in truth],
        p,
        classes=classes,
        groups=np.arange(n) // 2,
        files=files,
        n_bootstrap=50,
        **options,
    )


def bare():
    """Return a report without its images, which has one picture to draw."""
    return EvaluationReport.from_dict(evaluated(classes=BINARY).to_dict())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    names = []
    for index in range(60):
        path = folder / (EVIL % index if index % 2 else f"slice_{index}.png")
        Image.fromarray(np.full((16, 16), 4 * index, np.uint8)).save(path)
        names.append(path)
    names[1].write_bytes(b"not an image")
    return names


@pytest.fixture(scope="module")
def written(tmp_path_factory, files):
    report = evaluated(files=files, refused=np.arange(60) == 7)
    p = report.images.probabilities[:7, 0]
    return write_html_report(
        tmp_path_factory.mktemp("report") / "new" / "report.html",
        evaluation=report,
        dataset_summary={
            "source": "<script>alert(1)</script>",
            "split": "by group",
            "counts": {"train": {"glioma": 3}, "test": {"glioma": 1}},
            "problems": ["</table><b>x</b>.png: empty"],
        },
        history={"accuracy": [0.5, 0.9], "val_loss": [0.2, 0.3], "stage": ["head", "finetune"]},
        audit={"n_images": 4, "pairs": [{"first": "<a>", "second": "b", "distance": np.int64(3)}]},
        calibration={
            "temperature": np.float32(1.5),
            "before": {"ece": 0.1},
            "after": {"ece": 0.05},
            "curves": {"before": reliability_curve(p > 0.5, p)},
        },
        model={"name": "MobileNetV2", "training": "Adam"},
        versions={"mri_tumor": "0.1.0"},
    )


class Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page(written):
    reader = Reader()
    reader.feed(written.read_text(encoding="utf-8"))
    assert reader.open == []
    return reader


def test_the_page_loads_nothing_and_runs_nothing(page, written):
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    html = written.read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert "url(" not in html
    assert not re.search(r"https?://", html)


def test_names_of_files_are_shown_as_they_are(page):
    text = "".join(page.text)
    assert "onerror=alert('1')" in text
    assert "<script>alert(1)</script>" in text
    assert "</table><b>x</b>.png: empty" in text
    assert "b" not in page.tags or page.tags.count("b") == 5  # those of the cards


def test_the_page_holds_the_figures_and_what_they_are(page, written):
    text = " ".join(page.text)
    assert "Research software, not a medical device." in text
    plain = json.loads(written.with_suffix(".json").read_text(encoding="utf-8"))
    assert f"{plain['evaluation']['tumor']['sensitivity']:.3f}" in text
    headings = (
        "Result",
        "Data and split",
        "Audit of the data",
        "Model and training",
        "Figures",
        "Calibration",
        "Images worth a look",
        "CLAIM checklist",
        "Versions",
    )
    for heading in headings:
        assert heading in page.text, heading
    # Class balance, accuracy, matrix, two curves, histogram, two reliabilities, two sheets.
    assert page.tags.count("img") == 10


def test_pictures_are_whole(page):
    for link in page.links:
        if link.startswith("data:"):
            data = base64.b64decode(link.partition(",")[2])
            Image.open(io.BytesIO(data)).load()


def test_the_twin_says_the_same(written):
    plain = json.loads(written.with_suffix(".json").read_text(encoding="utf-8"))
    assert EvaluationReport.from_dict(plain["evaluation"]).n_refused == 1
    assert plain["calibration"]["temperature"] == 1.5
    assert plain["audit"]["pairs"][0]["distance"] == 3
    assert plain["dataset"]["source"] == "<script>alert(1)</script>"
    assert plain["history"]["val_loss"] == [0.2, 0.3]
    assert len(plain["worst"]) <= 10
    # Named from the folder they share, not from the root of this machine.
    assert all("/" not in row["file"].replace("'/", "") for row in plain["least_certain"])
    pairs = plain["most_confused"]
    matrix = np.array(plain["evaluation"]["confusion_matrix"])
    assert sum(row["images"] for row in pairs) == matrix.sum() - np.trace(matrix)
    assert plain["versions"] == {"mri_tumor": "0.1.0"}
    items = {item["number"]: item for item in plain["claim"]}
    assert sorted(items) == list(range(1, 43))
    assert items[25]["text"] == "Adam Epochs by stage: head 1, finetune 1."
    assert items[26]["text"] == "Epoch 1 of 2 has the lowest validation loss."
    assert "bootstrap over 30 groups" in items[29]["text"]
    assert not items[42]["filled"]


def test_the_same_input_gives_the_same_page(tmp_path):
    report = bare()
    pages = [
        write_html_report(tmp_path / f"{i}.html", evaluation=report).read_text() for i in (1, 2)
    ]
    assert pages[0] == pages[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "1.html", "1.json", "2.html", "2.json",
    ]  # fmt: skip


def test_the_least_that_can_be_reported(tmp_path):
    path = write_html_report(tmp_path / "bare.html", evaluation=bare(), images={})
    html = path.read_text()
    assert "Images worth a look" not in html
    assert html.count("<img ") == 1  # the confusion matrix


def test_own_pictures(tmp_path):
    report = bare()
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, format="PNG")
    path = write_html_report(
        tmp_path / "own.html",
        evaluation=report,
        images={
            "an array": np.zeros((5, 5, 3), np.uint8),
            "bytes & more": buffer.getvalue(),
            "axes": report.plot_confusion(),
        },
    )
    assert 'alt="bytes &amp; more"' in path.read_text()
    for wrong in (b"GIF89a", np.zeros((5, 5)), "x.png"):
        with pytest.raises(ParameterError, match="images must be"):
            write_html_report(tmp_path / "x.html", evaluation=report, images={"x": wrong})
    assert not (tmp_path / "x.html").exists()


def test_a_place_that_cannot_be_written(tmp_path):
    report = bare()
    with pytest.raises(ParameterError, match=r"\.html"):
        write_html_report(tmp_path / "report.txt", evaluation=report)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_html_report(tmp_path / "file" / "report.html", evaluation=report, images={})


def test_pictures_of_a_report(files):
    report = evaluated(files=files)
    assert set(report.roc_curves()) == {"tumor or not", "glioma", "meningioma", "pituitary"}
    assert set(report.reliability_curves()) == {"P(tumor)", "likeliest class"}
    for draw in (
        report.plot_confusion,
        report.plot_roc,
        report.plot_precision_recall,
        report.plot_reliability,
        report.plot_score_histogram,
        report.plot_worst,
        report.plot_least_certain,
    ):
        draw().figure.savefig(io.BytesIO())


def test_curves_agree_with_the_figures():
    report = evaluated(refused=np.arange(60) % 9 == 0)
    for name, curve in report.roc_curves().items():
        figures = report.tumor if name == "tumor or not" else report.per_class[name]
        intervals = report.intervals
        ends = intervals["tumor"] if name == "tumor or not" else intervals["per_class"][name]
        assert curve.area == pytest.approx(figures["auc"])
        assert curve.area_interval == pytest.approx(ends["auc"])


def test_an_unreadable_file_leaves_a_gap(files):
    labels = ["tumor", "notumor"]
    report = evaluate_predictions(
        labels, [[0.9, 0.1], [0.1, 0.9]], classes=BINARY, files=[files[0], files[1]]
    )
    ax = report.plot_worst()
    assert [len(one.images) for one in ax.child_axes] == [1, 0]
    with pytest.raises(ParameterError, match="no files"):
        evaluate_predictions(labels, [[0.9, 0.1], [0.1, 0.9]], classes=BINARY).plot_worst()
    right = evaluate_predictions(
        labels, [[0.1, 0.9], [0.9, 0.1]], classes=BINARY, files=["a.png", "b.png"]
    )
    with pytest.raises(ParameterError, match="no such images"):
        right.plot_worst()


def test_only_one_side_has_no_curve():
    report = evaluate_predictions(["tumor"] * 3, [[0.1, 0.9]] * 3, classes=BINARY)
    assert report.roc_curves() == {}
    assert report.intervals["auc"] is None


def test_facts_join_tables_of_the_same_columns():
    html = facts("Calibration", {"before": {"ece": 0.1}, "after": {"ece": 0.2}, "t": 1.5})
    assert html.count("<table>") == 2
    wide = {"before": dict.fromkeys("abcde", 1), "after": dict.fromkeys("abcde", 2)}
    lines = facts("x", wide)
    assert lines.count('<th scope="row">c</th>') == 1  # on its side: a line for each figure
    deep = facts(
        "x", {"a": {"b": {"c": {"d": "<e>"}}}, "none": None, "yes": True, "many": [1] * 60}
    )
    assert "&lt;e&gt;" in deep
    assert "and 10 more" in deep
    long = facts("x", {"pairs": [{"n": i} for i in range(70)]})
    assert "the first 50 of 70" in long


def test_plain_data(tmp_path):
    assert plainly({"a": np.array([1.0, np.nan]), 2: (np.bool_(1), tmp_path, {3})}) == {
        "a": [1.0, None],
        "2": [True, str(tmp_path), [3]],
    }
    assert plainly(object()).startswith("<object")


def test_the_checklist_names_the_epoch_by_the_loss_that_chose_it():
    history = {"val_loss": [0.2, 0.3], "val_calibrated_loss": [0.19, 0.1]}
    text = {i.number: i.text for i in claim_items(bare(), history=history)}[26]
    assert text == "Epoch 2 of 2 has the lowest validation loss after the best temperature."


def test_the_checklist_of_a_bare_run():
    items = claim_items(evaluated(classes=BINARY))
    assert [item.number for item in items if item.filled] == [13, 28, 29, 33, 34, 35, 36, 37, 38]


def test_names_that_are_no_text_and_mathematics_are_written_out(tmp_path):
    picture = np.full((32, 32), 99, np.uint8)
    files = []
    for name in (b"scan\xe9", b"a$_$b"):
        path = os.fsencode(tmp_path) + b"/" + name + b".png"
        Image.fromarray(picture).save(os.fsdecode(path))
        files.append(os.fsdecode(path))
    report = evaluated(files=[*files, *(f"{i}.png" for i in range(58))])
    about = {"left out": files[0]}
    page = write_html_report(tmp_path / "r.html", evaluation=report, dataset_summary=about)
    assert "scan\\udce9.png" in page.read_text("utf-8")
    assert json.loads((tmp_path / "r.json").read_text())["title"]
    axes = report.plot_least_certain(60)
    titles = [one.get_title() for one in axes.child_axes]
    assert any(title.startswith("a$_$b.png") for title in titles)
    axes.figure.savefig(io.BytesIO(), format="png")


def test_a_report_that_cannot_be_whole_leaves_the_old_one(tmp_path):
    (tmp_path / "a.html").write_text("old")
    (tmp_path / "a.json").mkdir()
    with pytest.raises(DataError, match=r"a\.json: the report cannot be written"):
        write_html_report(tmp_path / "a.html", evaluation=evaluated())
    assert (tmp_path / "a.html").read_text() == "old"


def test_numbers_of_numpy_are_written(tmp_path):
    report = evaluate_predictions(
        ["tumor", "notumor"],
        [[0.1, 0.9], [0.9, 0.1]],
        classes=BINARY,
        n_bootstrap=np.int64(10),
        seed=np.int64(1),
        confidence=np.float32(0.9),
    )
    report.save(tmp_path / "report.json")
    assert EvaluationReport.load(tmp_path / "report.json").n_bootstrap == 10


def test_epochs_without_a_loss_are_not_the_best():
    history = {"val_loss": [float("nan"), 0.7, 0.5, None], "val_calibrated_loss": np.array([])}
    text = {item.number: item.text for item in claim_items(evaluated(), history=history)}[26]
    assert "Epoch 3 of 4 has the lowest validation loss." in text


def test_no_images_are_asked_for(tmp_path):
    assert evaluated().worst(-1) == evaluated().least_certain(0) == []
