"""Fitted gates: what they refuse, that they are stored exactly, and what they will not take."""

import json

import numpy as np
import pytest

from mri_tumor.errors import ParameterError
from mri_tumor.gate import Gate, Limits, describe_all, fit_gate
from mri_tumor.gate.appearance import WIDTH
from mri_tumor.gate.network import Network, inputs_of
from mri_tumor.phantoms import make_phantoms

WIDE = 6


@pytest.fixture(scope="module")
def material():
    """Descriptions and features: others differ by the features' sign of one unit."""
    rng = np.random.default_rng(0)
    described = describe_all(make_phantoms(60, size=64, seed=1).images)
    scans = np.abs(rng.normal(1, 0.2, (60, WIDE))).astype(np.float32)
    others = scans.copy()
    others[:, 2] += 6
    return described, scans, others


@pytest.fixture(scope="module")
def gate(material):
    described, scans, others = material
    return fit_gate(
        described, scans, other_descriptions=described, other_features=others, max_refused=0.05
    )


def test_others_are_refused_and_scans_accepted(gate, material):
    described, scans, others = material
    reasons = gate.check_described(described, others)
    assert sum(map(bool, reasons)) >= 57
    assert all("brain MRI slice" in reason for reason in reasons if reason)
    assert sum(map(bool, gate.check_described(described, scans))) <= 6


def test_check_is_check_described(gate, material):
    images = list(make_phantoms(60, size=64, seed=1).images)
    assert gate.check(images, material[2]) == gate.check_described(*material[::2])


def test_the_same_seed_gives_the_same_gate(gate, material):
    described, scans, others = material
    again = fit_gate(
        described, scans, other_descriptions=described, other_features=others, max_refused=0.05
    )
    assert again.cut == pytest.approx(gate.cut, abs=1e-4)
    for name, values in gate.to_arrays().items():
        np.testing.assert_allclose(again.to_arrays()[name], values, atol=1e-5)


def test_arrays_and_settings_round_trip_through_files(gate, material, tmp_path):
    np.savez(tmp_path / "gate.npz", **gate.to_arrays())
    (tmp_path / "gate.json").write_text(json.dumps(gate.to_dict()), "utf-8")
    with np.load(tmp_path / "gate.npz", allow_pickle=False) as arrays:
        back = Gate.from_stored(json.loads((tmp_path / "gate.json").read_text("utf-8")), arrays)
    assert back.to_dict() == gate.to_dict()
    assert back.check_described(*material[:2]) == gate.check_described(*material[:2])
    assert back.check_described(*material[::2]) == gate.check_described(*material[::2])


def test_arrays_stay_small_for_any_width():
    rng = np.random.default_rng(1)
    described = np.repeat(describe_all(make_phantoms(4, size=64).images), 3, axis=0)
    for width in (3, 4096):
        features = rng.random((12, width), dtype=np.float32)
        gate = fit_gate(
            described, features, other_descriptions=described, other_features=features + 1
        )
        assert sum(values.nbytes for values in gate.to_arrays().values()) < 420_000
        assert all(values.dtype == np.float32 for values in gate.to_arrays().values())


def test_mean_and_scale_are_those_of_the_scans_that_were_fitted(material):
    described, _, others = material
    features = np.zeros((60, 2), np.float32)
    features[:, 0] = 4.0  # its root is 2, and it never changes
    gate = fit_gate(
        described, features, other_descriptions=described, other_features=others[:, :2]
    )
    assert gate.network.mean[0] == pytest.approx(2.0)
    assert gate.network.mean[1] == 0.0
    assert gate.network.scale[0] == pytest.approx(0.1 * np.median(gate.network.scale), rel=0.5)


def test_without_others_the_gate_has_its_rules_only(material):
    described, scans, _ = material
    gate = fit_gate(described, scans)
    assert gate.to_arrays() == {}
    assert Gate.from_stored(gate.to_dict(), {}).check_described(described, scans) == [""] * 60


def test_a_network_worked_by_hand():
    network = Network(
        mean=np.array([1, 0], np.float32),
        scale=np.array([2, 1], np.float32),
        hidden=np.array([[1, 0], [0, -1]], np.float32),
        hidden_bias=np.array([0, 0.5], np.float32),
        output=np.array([2, 3], np.float32),
        output_bias=np.array([-1], np.float32),
    )
    # (3 - 1) / 2 = 1 -> 1; (0.25 - 0) / 1 -> 0.5 - 0.25; 2 * 1 + 3 * 0.25 - 1
    # The 1000 is clipped to 8 standard deviations; -(-4) + 0.5 = 4.5.
    values = np.array([[3, 0.25], [1000, -4]], np.float32)
    np.testing.assert_allclose(network.score(values), [1.75, 28.5])


def test_roots_keep_the_sign():
    rows = inputs_of(np.ones((1, WIDTH), np.float32), np.array([[4, -9, 0]], np.float32))
    assert rows[0, :3].tolist() == [2, -3, 0]
    assert rows.shape == (1, WIDTH + 3)


def test_groups_stay_on_one_side(material):
    described, scans, others = material
    with pytest.raises(ParameterError, match="1 groups are too few"):
        fit_gate(described, scans, other_descriptions=described, other_features=others,
                 groups=["one"] * 60)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_refused": 0.0}, "max_refused must be in"),
        ({"held_back": 1.0}, "held_back must be in"),
        ({"other_features": None}, "go together"),
        ({"other_features": np.ones((60, 3), np.float32)}, "same model"),
        ({"features": np.ones((5, WIDE), np.float32)}, "60 and 5 rows"),
        ({"features": np.ones(60, np.float32)}, "of shape"),
        ({"features": np.full((60, WIDE), np.nan, np.float32)}, "finite"),
        ({"descriptions": np.ones((60, 4), np.float32)}, "describe_all"),
        ({"groups": np.arange(5)}, "groups must have the shape"),
    ],
)
def test_wrong_arguments_of_the_fit_are_named(material, change, message):
    described, scans, others = material
    values = {
        "descriptions": described, "features": scans, "other_descriptions": described,
        "other_features": others,
    } | change  # fmt: skip
    with pytest.raises(ParameterError, match=message):
        fit_gate(values.pop("descriptions"), values.pop("features"), **values)


def test_wrong_arguments_of_a_check_are_named(gate):
    image = np.zeros((32, 32), np.uint8)
    with pytest.raises(ParameterError, match="2 pictures need as many rows"):
        gate.check([image, image], np.zeros((1, WIDE), np.float32))
    with pytest.raises(ParameterError, match="fitted to 6 features. Received: 5"):
        gate.check([image], np.zeros((1, 5), np.float32))
    with pytest.raises(ParameterError, match="float of shape"):
        gate.check([image], np.zeros((1, WIDE), int))
    with pytest.raises(ParameterError, match="uint8 array"):
        gate.check([image.astype(float)], np.zeros((1, WIDE), np.float32))


def test_none_is_checked_without_complaint(gate):
    assert gate.check([], np.zeros((0, WIDE), np.float32)) == []


def test_damaged_stored_gates_are_refused(gate):
    settings, arrays = gate.to_dict(), gate.to_arrays()
    with pytest.raises(ParameterError, match="version 99"):
        Gate.from_stored(settings | {"appearance": 99}, arrays)
    with pytest.raises(ParameterError, match="cut must be a number"):
        Gate.from_stored(settings | {"cut": "low"}, arrays)
    with pytest.raises(ParameterError, match="expected"):
        Gate.from_stored({"cut": 1.0}, arrays)
    with pytest.raises(ParameterError, match="expected"):
        Gate.from_stored(settings, {"mean": arrays["mean"]})
    with pytest.raises(ParameterError, match="must be float32"):
        Gate.from_stored(settings, arrays | {"mean": arrays["mean"].astype(float)})
    with pytest.raises(ParameterError, match="shapes must fit"):
        Gate.from_stored(settings, arrays | {"mean": arrays["mean"][:-1]})
    with pytest.raises(ParameterError, match="scale must be positive"):
        Gate.from_stored(settings, arrays | {"scale": 0 * arrays["scale"]})
    with pytest.raises(ParameterError, match="cut must be a finite number"):
        Gate(limits=Limits(), cut=float("inf"))
