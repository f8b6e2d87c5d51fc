"""Rules on the pixels: each refuses its kind, with its reason, and lets phantoms pass."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from mri_tumor.errors import ParameterError
from mri_tumor.gate import Gate, Limits, describe_all
from mri_tumor.gate.appearance import MEASURES, WIDTH, Measures
from mri_tumor.phantoms import make_phantoms

GATE = Gate(limits=Limits())
SCAN = Measures(
    contrast=200, head=0.7, smoothness=0.9, levels=3.2, extremes=0.4, corners=0.01, fill=0.6
)


def reason(image):
    return GATE.check([image], np.zeros((1, 4), np.float32))[0]


def flat(level):
    return np.full((120, 100), level, np.uint8)


def noise(kind):
    rng = np.random.default_rng(3)
    if kind == "normal":
        return np.clip(rng.normal(128, 40, (160, 160)), 0, 255).astype(np.uint8)
    return rng.integers(0, 256, (160, 160), dtype=np.uint8)


def page(paper, ink):
    picture = Image.new("L", (256, 256), paper)
    draw = ImageDraw.Draw(picture)
    for y in range(10, 250, 24):
        draw.text((6, y), "Findings: none that matter", fill=ink, font=ImageFont.load_default(18))
    return np.asarray(picture)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_blank_pictures_are_called_blank(level):
    assert reason(flat(level)) == "the picture is blank: its grey levels span only 0 of 255"


@pytest.mark.parametrize("kind", ["normal", "even"])
def test_noise_is_called_noise(kind):
    assert "noise" in reason(noise(kind))


def test_a_page_has_bright_corners_and_its_negative_is_refused_too():
    assert "corners are bright" in reason(page(255, 0))
    assert reason(page(0, 255))


def test_a_figure_of_two_levels_is_black_and_white():
    image = flat(0)
    image[20:90, 20:80] = 255
    image[40:60, 40:60] = 0
    assert "black and white" in reason(image)


def test_flat_figures_have_few_grey_levels():
    image = flat(30)
    image[20:100, 15:85] = 120
    image[30:60, 30:60] = 230
    assert "few grey levels" in reason(image)


def test_a_speck_is_all_but_empty():
    image = flat(0)
    image[50:62, 50:62] = np.arange(100, 244).reshape(12, 12)
    assert "all but empty" in reason(image)


@pytest.mark.parametrize("skull", [True, False])
def test_phantoms_pass(skull):
    drawn = make_phantoms(24, size=160, seed=4, skull=skull)
    assert GATE.check(list(drawn.images), np.zeros((24, 4), np.float32)) == [""] * 24


def test_a_scan_passes_and_each_measure_alone_can_refuse_it():
    assert Limits().reason(SCAN) == ""
    wrong = {
        "contrast": 11, "smoothness": 0.29, "fill": 0.02, "corners": 0.76, "extremes": 0.91,
        "levels": 1.1,
    }  # fmt: skip
    reasons = set()
    for name, value in wrong.items():
        facts = {field: getattr(SCAN, field) for field in MEASURES} | {name: value}
        reasons.add(Limits().reason(Measures(**facts)))
    assert "" not in reasons
    assert len(reasons) == len(wrong)


def test_limits_give_way_to_scans_that_lie_beyond_them():
    rows = np.zeros((4, WIDTH), np.float32)
    rows[:, : len(MEASURES)] = [getattr(SCAN, name) for name in MEASURES]
    rows[0, MEASURES.index("contrast")] = 5
    rows[1, MEASURES.index("corners")] = 0.9
    loose = Limits().relaxed(rows, share=0.0)
    assert loose.contrast == 5
    assert loose.corners == pytest.approx(0.9)
    assert loose.smoothness == Limits().smoothness
    assert Limits().relaxed(rows, share=0.5) == Limits()


def test_limits_round_trip_and_refuse_what_is_malformed():
    limits = Limits(contrast=7.5)
    assert Limits.from_dict(limits.to_dict()) == limits
    with pytest.raises(ParameterError, match="expected"):
        Limits.from_dict({"contrast": 3.0})
    with pytest.raises(ParameterError, match="corners must be a finite number"):
        Limits(corners=float("nan"))


def test_relaxed_limits_accept_all_of_the_scans_they_saw():
    images = make_phantoms(12, size=96, seed=9).images // 30  # nearly black
    rows = describe_all(images)
    gate = Gate(limits=Limits().relaxed(rows, share=0.0))
    assert any(GATE.check(list(images), np.zeros((12, 1), np.float32)))
    assert gate.check(list(images), np.zeros((12, 1), np.float32)) == [""] * 12
