import json
from types import SimpleNamespace

import numpy as np
import pytest

from mri_tumor.errors import ParameterError
from mri_tumor.explain import explanation_report, grad_cam
from mri_tumor.explain.measures import box_mask, energy_inside, pointing_game
from mri_tumor.explain.report_card import summarise

BOXES = np.array([[0.25, 0.25, 0.4, 0.4]] * 5)
LABELS = ["glioma", "glioma", "pituitary", "pituitary", "pituitary"]


@pytest.fixture(scope="module")
def report(build, batch):
    return explanation_report(
        build(),
        batch,
        methods={"grad_cam": {}, "fine": {"method": "layer_cam", "strides": (2, 4)}},
        target=1,
        boxes=BOXES,
        labels=LABELS,
        steps=4,
        curve_images=3,
        randomisation=2,
    )


def test_the_summary_is_the_mean_of_the_images(report, build, batch):
    maps = grad_cam(build(), batch, target=1)
    region = box_mask(BOXES[0], (16, 16))
    first, glioma = report.summary[:2]
    assert (first.method, first.label, first.n_images) == ("grad_cam", "all", 5)
    assert (glioma.label, glioma.n_images) == ("glioma", 2)
    assert first.energy == pytest.approx(np.mean([energy_inside(one, region) for one in maps]))
    assert first.pointing == np.mean([pointing_game(one, region) for one in maps])
    near = [pointing_game(one, region, tolerance=0.1) for one in maps[:2]]
    assert glioma.near == np.mean(near)
    assert first.images_per_second > 0


def test_baselines_and_checks_are_there(report):
    by_method = {one.method: one for one in report.summary if one.label == "all"}
    assert list(by_method) == ["grad_cam", "fine", "centre", "brightest_blob"]
    assert by_method["centre"].pointing == 0
    assert by_method["centre"].images_per_second is None
    assert by_method["centre"].deletion is not None
    assert [one.method for one in report.randomisation] == ["grad_cam", "fine"]


def test_curves_are_drawn_for_as_many_images_as_asked(report):
    drawn = [
        row["image"] for row in report.images if row["method"] == "grad_cam" and "deletion" in row
    ]
    assert drawn == [0, 2, 4]


def test_it_prints_renders_and_saves(report, tmp_path):
    text = str(report)
    assert "not a medical device" in text
    assert "pointing" in text
    assert "random weights" in text
    assert "<table>" in report._repr_html_()
    assert "fine" in repr(report)
    report.save(tmp_path / "report.json")
    plain = json.loads((tmp_path / "report.json").read_text())
    assert plain["summary"][0]["method"] == "grad_cam"
    assert len(plain["images"]) == 4 * 5
    assert plain["options"]["fine"] == {"method": "layer_cam", "strides": [2, 4]}
    assert "images" not in json.loads(report.to_json())


def test_a_flat_map_misses_and_is_counted():
    rows = [
        {
            "method": "m",
            "label": None,
            "empty": True,
            "distance": float("inf"),
            "energy": 0.0,
            "iou": 0.0,
        },
        {
            "method": "m",
            "label": None,
            "empty": False,
            "distance": 0.05,
            "energy": 0.5,
            "iou": 0.2,
        },
    ]
    (one,) = summarise(rows, {"m": None}, 0.1)
    assert (one.pointing, one.near, one.energy, one.empty) == (0.0, 0.5, 0.25, 0.5)
    assert one.deletion is None


def test_without_regions_only_the_curves_are_reported(build, batch):
    report = explanation_report(build(), batch, steps=2, randomisation=0, baselines=())
    (one,) = report.summary
    assert one.pointing is None
    assert one.insertion is not None
    assert "pointing" not in str(report)


def test_a_classifier_is_measured_in_the_original_pixels(build, batch):
    """Model input is the lower right quarter of a picture of twice the size."""
    picture = np.zeros((32, 32), np.uint8)

    def to_original(values):
        whole = np.zeros((32, 32), np.float32)
        whole[16:, 16:] = values
        return whole

    classifier = SimpleNamespace(
        model_=build(),
        classes_=np.array(["glioma", "notumor", "pituitary"]),
        negative_class_="notumor",
        prepare=lambda X: (
            batch.astype(np.float32),
            [SimpleNamespace(to_original=to_original)] * 5,
            [picture] * 5,
        ),
    )
    masks = np.zeros((5, 32, 32), bool)
    masks[:, 16:, 16:] = True
    report = explanation_report(
        classifier, ["a"] * 5, target="likeliest_tumor", masks=masks, steps=0, randomisation=0
    )
    ours, centre, _ = report.summary
    assert ours.energy == pytest.approx(1)
    assert ours.pointing == 1
    assert centre.energy < 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": "lime"}, "unknown 'lime'"),
        ({"boxes": BOXES[:2]}, "2 for 5 images"),
        ({"boxes": BOXES, "masks": np.ones((5, 16, 16), bool)}, "not both"),
        ({"masks": np.zeros((5, 16, 16), bool)}, "mark at least a pixel"),
        ({"masks": np.ones((5, 8, 16), bool)}, "should be bool of shape"),
        ({"labels": ["a"]}, "1 for 5 images"),
        ({"methods": []}, "at least one"),
        ({"methods": {"grad_cam": {"patch": 3}}}, "takes no 'patch'"),
        ({"methods": {"mine": {}}}, "unknown 'mine'"),
        ({"baselines": ["left"]}, "unknown 'left'"),
        ({"tolerance": 2}, "tolerance"),
        ({"steps": -1}, "steps"),
        ({"randomisation": -1}, "randomisation"),
    ],
)
def test_wrong_options_are_named(build, batch, options, message):
    with pytest.raises(ParameterError, match=message):
        explanation_report(build(), batch, **options)


def test_no_image_is_no_report(build, batch):
    with pytest.raises(ParameterError, match="at least one"):
        explanation_report(build(), batch[:0])
