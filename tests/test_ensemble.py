"""Several models or views: means worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from mri_tumor import runtime
from mri_tumor.answers import Answering, DecisionRule, PredictsFromImages
from mri_tumor.ensemble import VIEWS, Ensemble
from mri_tumor.errors import ParameterError
from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.labelled import describe_data

RULE = DecisionRule(classes=("notumor", "tumor"), negative_class="notumor", threshold=0.4)
SETTINGS = Preprocessing(size=32, crop=False, white_percentile=None)


class Left(PredictsFromImages):
    """Says *tumor* as strongly as the left half of the picture is bright."""

    classes_ = np.array(["notumor", "tumor"])

    def __init__(self, rule=RULE, settings=SETTINGS, columns=slice(0, 16)):
        self.rule, self.settings, self.columns = rule, settings, columns

    def _answering(self, threshold=None):
        rule = self.rule if threshold is None else replace(self.rule, threshold=threshold)

        def network(values):
            bright = values[:, :, self.columns, 0].mean(axis=(1, 2)) / 255
            return bright[:, None], values[:, ::8, ::8, :1].astype(np.float32)

        return Answering(network=network, preprocessing=self.settings, rule=rule)


def picture(left, right):
    image = np.zeros((1, 32, 32), np.uint8)
    image[:, :, :16], image[:, :, 16:] = left, right
    return image


def test_a_mirrored_view_is_averaged_in():
    image = picture(204, 51)
    assert Left().predict_proba(image)[0, 1] == pytest.approx(0.8)
    both = Ensemble([Left()], views=("plain", "mirrored"))
    assert both.predict_proba(image)[0, 1] == pytest.approx((0.8 + 0.2) / 2)
    assert both.predict(image) == ["tumor"]
    assert both.predict(image, threshold=0.6) == ["notumor"]


def test_members_are_calibrated_before_the_mean():
    image = picture(204, 0)
    hot = Left(replace(RULE, temperature=2.0, threshold=0.6))
    # A temperature of 2 takes odds of 4 to odds of 2.
    mean = (0.8 + 2 / 3) / 2
    pair = Ensemble([Left(), hot])
    assert pair.predict_proba(image)[0, 1] == pytest.approx(mean)
    assert pair.rule_.threshold == pytest.approx(0.5)
    assert pair.rule_.temperature == 1.0


def test_one_member_and_the_plain_view_change_nothing():
    image = picture(100, 30)
    np.testing.assert_allclose(
        Ensemble([Left()]).predict_proba(image), Left().predict_proba(image)
    )


@pytest.mark.parametrize(("name", "down", "right"), [("up", -12, 0), ("right", 0, 12)])
def test_shifts_bring_black_in(name, down, right):
    values = np.zeros((1, 32, 32, 3), np.uint8)
    values[0, 16, 15] = 200
    moved = VIEWS[name](values)
    assert moved[0, 16 + down, 15 + right, 0] == 200
    assert moved.sum() == 600


def test_an_ensemble_can_be_calibrated():
    rng = np.random.default_rng(0)
    bright = np.concatenate([rng.uniform(0, 0.6, 60), rng.uniform(0.4, 1, 60)])
    images = np.concatenate([picture(round(255 * b), 0) for b in bright])
    labels = ["notumor"] * 60 + ["tumor"] * 60
    pair = Ensemble([Left(), Left()]).calibrate(images, labels, sensitivity=1.0)
    assert (pair.predict(images)[60:] == "tumor").all()
    assert pair.rule_.conformal is not None
    statuses = {row.status for row in pair.assess(images)}
    assert statuses == {"ok", "uncertain"}


class Brightest:
    """Refuses pictures whose brightest value in the network's features is above a limit."""

    n_features = 1

    def __init__(self, limit):
        self.limit = limit

    def describe(self, image):
        return np.zeros(1, np.float32)

    def check_described(self, descriptions, features):
        assert features.shape == (len(descriptions), self.n_features)
        return [f"above {self.limit}" if one[0] > self.limit else "" for one in features]


class Gated(Left):
    """Its gate looks at the mean of the half of the picture that it answers by."""

    def __init__(self, limit, columns=slice(0, 16)):
        super().__init__(columns=columns)
        self.limit = limit

    def _answering(self, threshold=None):
        own = super()._answering(threshold)

        def network(values):
            bright = values[:, :, self.columns, 0].mean(axis=(1, 2))
            return *own.network(values), bright[:, None, None]

        return replace(own, network=network, gate=Brightest(self.limit))


def test_what_any_member_refuses_is_refused():
    dim, left, right = picture(50, 60), picture(210, 10), picture(10, 220)
    images = np.concatenate([dim, left, right])
    gates = Gated(200), Gated(100, slice(16, 32))
    for members in (gates, gates[::-1], (gates[0], Left(), gates[1])):
        rows = Ensemble(members, views=("mirrored", "plain", "plain")).assess(images)
        assert [row.status for row in rows] == ["ok", "refused", "refused"]
        assert [row.message for row in rows[1:]] == ["above 200", "above 100"]
    for members in ((Left(), gates[0]), (gates[0], Left())):
        rows = Ensemble(members).assess(images)
        assert [row.status for row in rows] == ["ok", "refused", "ok"]


@pytest.mark.parametrize(
    ("members", "views", "message"),
    [
        ([], ("plain",), "at least one member"),
        ([Left()], (), "at least one view"),
        ([Left()], ("upside-down",), "upside-down"),
        ([Left(), Left(settings=replace(SETTINGS, size=64))], ("plain",), "same classes"),
    ],
)
def test_what_does_not_fit_is_refused(members, views, message):
    with pytest.raises(ParameterError, match=message):
        Ensemble(members, views=views)


def test_what_members_and_calibration_have_seen_is_known():
    rng = np.random.default_rng(0)
    images = [
        rng.integers(0, 256, (8, 8), dtype=np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(40)
    ]
    member = Left()
    member.data_ = describe_data(images[:4])
    both = Ensemble([member], views=("plain", "mirrored"))
    assert both.overlap(images).n_identical == 4
    assert not Ensemble([Left()]).overlap(images)
    shipped = runtime.load("brain-mri")
    assert len(Ensemble([shipped]).data_["seen"]) == len(shipped.metadata_["data"]["seen"]) > 1000
    both.calibrate(images[4:], ["notumor", "tumor"] * 18)
    assert both.overlap(images).n_identical == 40
    assert both.overlap([images[0][:, ::-1]]).n_near == 1
