"""Augmentation that imitates other hospitals: each part does what it says, and no more."""

import numpy as np
import pytest
from scipy import ndimage

from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.training.augmentation import get_augmentation
from mri_tumor.training.erasing import erase, patch
from mri_tumor.training.lesions import Donor, brain_mask, draw_lesion, transplant
from mri_tumor.training.robust import Robust, ellipse_cover, shading
from mri_tumor.training.skull import strip_skull

SIDE = 224


def head(brain=110, scalp=230, bone=10):
    """Draw a head: a brain with texture, dark bone around it, bright scalp around that."""
    rng = np.random.default_rng(0)
    across = np.linspace(-1, 1, SIDE)
    radius = np.hypot(across[None, :], across[:, None] / 1.15)
    texture = ndimage.gaussian_filter(rng.normal(0, 60, (SIDE, SIDE)), 2)
    image = np.where(radius < 0.70, brain + texture, 0)
    image = np.where((radius >= 0.70) & (radius < 0.76), bone, image)
    image = np.where((radius >= 0.76) & (radius < 0.84), scalp, image)
    return np.clip(image, 0, 255).astype(np.uint8), radius < 0.70


def test_the_skull_goes_and_the_brain_stays():
    image, brain = head()
    stripped = strip_skull(image)
    assert stripped is not None
    kept = stripped > 0
    assert kept[brain].mean() > 0.9
    assert not kept[image == 230].any()
    np.testing.assert_array_equal(stripped[kept], image[kept])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.uint8),
        np.full((64, 64), 9, np.uint8),
        np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8),
    ],
    ids=["black", "dim", "noise"],
)
def test_where_no_brain_can_be_told_nothing_is_made_up(image):
    stripped = strip_skull(image)
    assert stripped is None or (stripped[stripped > 0] == image[stripped > 0]).all()
    if image.max() < 16:
        assert stripped is None


def test_a_drawn_lesion_lies_in_the_brain_and_can_be_seen():
    image, brain = head()
    for seed in range(12):
        made = draw_lesion(image, np.random.default_rng(seed))
        if made is None:
            continue
        changed, cover = made
        inside = cover > 0.5
        assert brain[inside].mean() > 0.5
        assert inside.mean() >= 0.003
        assert np.abs(changed[inside].astype(int) - image[inside]).mean() > 0.2 * 100
        # What is far from the lesion and its swelling stays as it is, but for a last push.
        far = ndimage.distance_transform_edt(~inside) > 90
        assert np.abs(changed[far].astype(int) - image[far]).mean() < 2


def test_lesions_follow_from_their_seed():
    image, _ = head()
    first, again, other = (draw_lesion(image, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()


def test_a_transplanted_tumor_arrives():
    image, brain = head()
    given, _ = head(brain=110)
    given[60:100, 70:120] = 250
    donor = Donor(given, (95 / SIDE, 80 / SIDE, 50 / SIDE, 40 / SIDE))
    found = [transplant(image, donor, np.random.default_rng(seed)) for seed in range(8)]
    found = [one for one in found if one is not None]
    assert len(found) >= 4
    for changed, cover in found:
        core = cover > 0.95
        assert brain[core].mean() > 0.5
        # The donor's tumor is about 2.3 times as bright as its brain; so is what arrives.
        assert changed[core].mean() > 1.5 * image[brain].mean()
        np.testing.assert_array_equal(changed[cover == 0], image[cover == 0])


def test_nothing_is_put_where_there_is_no_brain():
    black = np.zeros((SIDE, SIDE), np.uint8)
    donor = Donor(head()[0], (0.5, 0.5, 0.2, 0.2))
    assert draw_lesion(black, np.random.default_rng(0)) is None
    assert transplant(black, donor, np.random.default_rng(0)) is None


def test_the_brain_is_found_in_a_head():
    image, brain = head()
    found = brain_mask(image)
    assert found[brain].mean() > 0.9
    assert not found[image == 230].any()


def test_shading_is_smooth_positive_and_bounded():
    for seed in range(5):
        field = shading(64, 0.35, np.random.default_rng(seed))
        assert np.exp(-0.35) <= field.min() < 1 < field.max() <= np.exp(0.35)
        assert np.abs(np.diff(field, axis=0)).max() < 0.05
        assert np.abs(np.diff(field, axis=1)).max() < 0.05


def test_robust_variants_follow_from_their_seed_and_differ():
    image, _ = head()
    settings = Preprocessing(size=96)
    policy = get_augmentation("robust")
    made = [policy(image, settings, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert all(one.shape == (96, 96, 3) and one.dtype == np.uint8 for one in made)
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[0].astype(int) - made[2]).mean() > 1
    np.testing.assert_array_equal(made[0][:, :, 0], made[0][:, :, 2])


def test_a_robust_variant_without_its_parts_is_the_prepared_image():
    image, _ = head()
    settings = Preprocessing(size=96)
    still = Robust(
        skull=0.0, gamma=(1.0, 1.0), curve=0.0, bias=0.0, scale=(1.0, 1.0), rotation=0.0,
        turn=0.0, shear=0.0, aspect=0.0, shift=0.0, resolution=(1.0, 1.0), noise=0.0,
    )  # fmt: skip
    from mri_tumor.images.preprocessing import preprocess

    plain = preprocess(image, settings)[0][:, :, 0].astype(float)
    for seed in range(4):
        made = still(image, settings, np.random.default_rng(seed))[:, :, 0].astype(float)
        best = max(np.corrcoef(plain.ravel(), one.ravel())[0, 1] for one in (made, made[:, ::-1]))
        assert best > 0.98


def test_a_variant_says_where_the_tumor_went():
    image, _ = head(brain=90)
    settings = Preprocessing(size=112)
    box = (0.4, 0.55, 0.16, 0.12)
    lesion = ellipse_cover(box, SIDE)
    image = np.where(lesion > 0.5, 255, np.minimum(image, 120)).astype(np.uint8)
    policy = Robust(gamma=(1.0, 1.0), curve=0.0, bias=0.0, noise=0.0, resolution=(1.0, 1.0))
    for seed in range(12):
        values, cover = policy.with_cover(image, box, settings, np.random.default_rng(seed))
        bright = values[:, :, 0] > 0.75 * values.max()
        overlap = (bright & (cover > 0.5)).sum() / (bright | (cover > 0.5)).sum()
        assert overlap > 0.85, seed
        plain = policy(image, settings, np.random.default_rng(seed))
        np.testing.assert_array_equal(values, plain)
    assert policy.with_cover(image, None, settings, np.random.default_rng(0))[1] is None


def test_the_ellipse_in_a_box_has_its_area_and_place():
    cover = ellipse_cover((0.25, 0.5, 0.2, 0.4), 200)
    assert cover.sum() == pytest.approx(np.pi * 20 * 40, rel=0.01)
    rows, columns = np.nonzero(cover > 0.5)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (60, 139, 30, 69)


BOX = (0.40, 0.55, 0.12, 0.16)


def with_tumor(image):
    """Lay a bright ellipse into the box."""
    inside = ellipse_cover(BOX, SIDE) > 0.5
    return np.where(inside, np.uint8(250), image), inside


def test_an_erased_tumor_leaves_the_tissue_around_it():
    across = np.linspace(60, 140, SIDE)
    ramp = np.tile(across, (SIDE, 1)).astype(np.uint8)
    ill, _ = with_tumor(ramp)
    erased = erase(ill, BOX, np.random.default_rng(0))
    # Another part of a ramp differs by a constant, which the seamless filling takes out.
    np.testing.assert_allclose(erased.astype(int), ramp, atol=2)


def test_erasing_changes_the_place_of_the_tumor_only():
    healthy, _ = head()
    ill, inside = with_tumor(healthy)
    for seed in range(6):
        erased = erase(ill, BOX, np.random.default_rng(seed))
        x, y, width, height = BOX
        reached = ellipse_cover((x, y, 1.65 * width, 1.65 * height), SIDE) > 0
        np.testing.assert_array_equal(erased[~reached], ill[~reached])
        assert erased[inside].max() < 240
        tissue = erased[inside].astype(float)
        assert abs(tissue.mean() - healthy[inside].mean()) < 15
        assert tissue.std() > 0.3 * healthy[inside].std()


def test_a_patch_changes_some_place_and_leaves_the_tumor_alone():
    ill, inside = with_tumor(head()[0])
    for seed in range(6):
        patched = patch(ill, np.random.default_rng(seed), avoid=BOX)
        assert patched is not None
        np.testing.assert_array_equal(patched[inside], ill[inside])
        assert (patched != ill).any()


def test_nothing_is_erased_where_no_other_tissue_fits():
    black = np.zeros((SIDE, SIDE), np.uint8)
    assert erase(black, BOX, np.random.default_rng(0)) is None
    assert patch(black, np.random.default_rng(0)) is None
    ill, _ = with_tumor(black)  # a tumor, and no head around it
    assert erase(ill, BOX, np.random.default_rng(0)) is None
    whole = np.full((SIDE, SIDE), 90, np.uint8)
    assert erase(whole, (0.5, 0.5, 0.9, 0.9), np.random.default_rng(0)) is None
