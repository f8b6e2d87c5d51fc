"""The same recipe after a leaky and after a clean split."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from mri_tumor.classifier import TumorClassifier
from mri_tumor.data import load_dataset
from mri_tumor.errors import DataError
from mri_tumor.leakage import measure_leak, training_pools
from mri_tumor.phantoms import make_phantoms


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """Return a data set of 60 synthetic slices and a mirrored copy of each third one."""
    folder = tmp_path_factory.mktemp("twins") / "scans"
    make_phantoms(60, size=72, seed=5, classes=("notumor", "tumor"), folder=folder)
    for path in sorted(folder.rglob("*.png"))[::3]:
        ImageOps.mirror(Image.open(path)).save(path.with_name(f"m-{path.name}"))
    return load_dataset(folder)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0.05, 0.4))
def test_pools_share_nothing_but_size_and_classes(twins, seed, share):
    rng = np.random.default_rng(seed)
    test = np.flatnonzero(rng.random(len(twins)) < share)
    pools = training_pools(twins, test, seed=seed)
    labels = np.array(twins.labels)
    assert not set(twins.groups[pools["clean"]]) & set(twins.groups[test])
    for pool in pools.values():
        assert not set(pool.tolist()) & set(test.tolist())
        assert len(set(pool.tolist())) == len(pool)
    counts = [np.unique(labels[pool], return_counts=True)[1].tolist() for pool in pools.values()]
    assert counts[0] == counts[1]


def test_a_recipe_is_measured_twice_on_the_same_images(tiny, twins):
    said = []
    recipe = TumorClassifier("tiny", weights=None, epochs=1, augmentation=None)
    found = measure_leak(recipe, twins, n_folds=2, n_bootstrap=50, say=said.append)
    assert not hasattr(recipe, "model_")
    assert found.leaky.n_images == found.clean.n_images == len(twins) == 80
    assert set(found.leaky.images.files) == set(twins.paths)
    assert found.leaky.images.files == found.clean.images.files
    assert 0 < found.n_twins < 80
    assert len(said) == 4
    gap = found.leaky.accuracy - found.clean.accuracy
    assert found.difference.figures["accuracy"].difference == pytest.approx(gap)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["n_twins"] == found.n_twins
    text = str(found)
    assert "not a medical device" in text
    assert f"{found.n_twins:,} test images had one" in text
    row = next(line for line in text.splitlines() if line.strip().startswith("tumor auc"))
    low, high = found.clean.intervals["tumor"]["auc"]
    assert f"{found.clean.tumor['auc']:.3f} ({low:.3f}-{high:.3f})" in row


def test_without_copies_nothing_can_leak(tiny, twins):
    alone = twins.subset([i for i, path in enumerate(twins.paths) if "m-" not in path])
    recipe = TumorClassifier("tiny", weights=None, epochs=1, augmentation=None)
    found = measure_leak(recipe, alone, n_bootstrap=0)
    assert found.n_twins == 0
    assert found.twins is None
    assert "nothing could leak" in str(found)


def test_too_few_groups_is_an_error(tiny, twins):
    first = [twins.labels.index(name) for name in ("notumor", "tumor")]
    recipe = TumorClassifier("tiny", weights=None, epochs=1)
    with pytest.raises(DataError, match="too few"):
        measure_leak(recipe, twins.subset([*first, 5]))
