"""One battery over every method, and each method against its formula."""

import inspect

import numpy as np
import pytest

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain import (
    METHODS,
    eigen_cam,
    explain_batch,
    get_method,
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    integrated_gradients,
    layer_cam,
    method_options,
    occlusion,
    saliency,
    score_cam,
    smooth_grad,
)
from mri_tumor.explain.core import pin, prepare
from mri_tumor.explain.maps import enlarge, gaussian_blur
from mri_tumor.explain.methods.integrated_gradients import attributions

QUICK = {"smooth_grad": {"samples": 4}, "integrated_gradients": {"steps": 8}}
CLASS_FREE = ("eigen_cam",)
# Asks each cell alone, and may find that none speaks for a class.
MAY_BE_FLAT = ("head_cam",)


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


@pytest.fixture
def explain(name):
    def run(model, images, **options):
        return METHODS[name](model, images, **QUICK.get(name, {}), **options)

    return run


# ---- every method


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("shape", ["nested", "sequential_in_sequential"])
def test_maps_have_the_images_size_and_range(name, explain, build, batch, shape, activation):
    maps = explain(build(shape, activation), batch, target=1)
    assert maps.shape == (5, 16, 16)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    highest = maps.max(axis=(1, 2))
    assert 1 in highest
    assert np.isin(highest, [0, 1] if name in MAY_BE_FLAT else [1]).all()


def test_all_shapes_of_model_agree(explain, build, batch):
    np.testing.assert_allclose(
        explain(build("twice_nested"), batch, target=0),
        explain(build("functional_in_sequential"), batch, target=0),
        atol=1e-4,
    )


def test_an_image_does_not_feel_its_batch(explain, build, batch):
    maps = explain(build(), batch, target=[0, 1, 2, 0, 1])
    order = np.array([4, 1, 0, 3, 2])
    targets = np.array([0, 1, 2, 0, 1])[order]
    np.testing.assert_allclose(
        maps[order], explain(build(), batch[order], target=targets, batch_size=2), atol=1e-4
    )


def test_the_target_matters(name, explain, build, batch):
    same = np.allclose(explain(build(), batch, target=0), explain(build(), batch, target=1))
    assert same == (name in CLASS_FREE)


def test_random_weights_destroy_the_map(keras, explain, build, batch):
    other = keras.models.clone_model(build())
    rng = np.random.default_rng(1)
    other.set_weights([rng.permutation(w.ravel()).reshape(w.shape) for w in build().get_weights()])
    assert (
        np.abs(explain(build(), batch, target=0) - explain(other, batch, target=0)).mean() > 0.01
    )


def test_a_dead_model_has_no_evidence(name, keras, explain, build, batch):
    """Where no score depends on the image, no method may see evidence."""
    dead = keras.models.clone_model(build())
    weights = [np.zeros_like(w) for w in build().get_weights()]
    dead.set_weights(weights)
    assert not explain(dead, batch, target=0).any()


def test_black_images_give_no_nan(explain, build):
    maps = explain(build(), np.zeros((2, 16, 16, 3), np.uint8), target=1)
    assert np.isfinite(maps).all()


def test_no_image_gives_no_map(explain, build):
    assert explain(build(), np.zeros((0, 16, 16, 3))).shape == (0, 16, 16)


def test_broken_weights_are_named(keras, explain, build, batch):
    broken = keras.models.clone_model(build())
    broken.set_weights([np.full_like(w, np.nan) for w in broken.get_weights()])
    with pytest.raises(ParameterError, match="NaN"):
        explain(broken, batch, target=0)


def test_flips_and_shifts_average(name, explain, build, batch):
    model = build()
    maps = explain(model, batch, target=1, flip=True)
    mirrored = explain(model, batch[:, :, ::-1], target=1, flip=True)
    np.testing.assert_allclose(maps, mirrored[:, :, ::-1], atol=1e-4)
    shifted = explain(model, batch, target=1, shift=2)
    assert shifted.shape == maps.shape
    assert (shifted.max(axis=(1, 2)) == 1).all() or name in MAY_BE_FLAT


def test_a_blur_is_of_the_map(explain, build, batch):
    plain = explain(build(), batch, target=1)
    expected = gaussian_blur(plain, 1.5)
    expected /= np.maximum(expected.max(axis=(1, 2), keepdims=True), 1e-9)
    np.testing.assert_allclose(explain(build(), batch, target=1, blur=1.5), expected, atol=1e-4)
    with pytest.raises(ParameterError, match="blur"):
        explain(build(), batch, blur=-1)


def test_likeliest_class_is_kept_when_the_image_is_changed(explain, build, batch):
    likeliest = build().predict(batch, verbose=0).argmax(axis=1)
    np.testing.assert_allclose(
        explain(build(), batch, flip=True),
        explain(build(), batch, target=likeliest, flip=True),
        atol=1e-5,
    )


def test_wrong_input_is_named(explain, build, batch):
    with pytest.raises(ImageError, match="NaN"):
        explain(build(), np.where(np.arange(16)[:, None] == 3, np.nan, batch.astype(float)))
    with pytest.raises(ParameterError, match="index from 0 to 2"):
        explain(build(), batch, target=9)
    with pytest.raises(ParameterError, match="batch_size"):
        explain(build(), batch, batch_size=-1)


def test_the_docstring_cites_its_paper(name):
    text = inspect.getdoc(METHODS[name])
    assert "arXiv:" in text or "doi:" in text
    for section in ("Parameters", "Returns", "Raises", "References"):
        assert f"{section}\n---" in text


def test_answers_come_with_the_maps(name, build, batch):
    found = explain_batch(
        build(), batch, method=name, class_names=["a", "b", "c"], **QUICK.get(name, {})
    )
    expected = build().predict(batch, verbose=0)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert found.chosen.tolist() == expected.argmax(axis=1).tolist()
    assert found.targets == tuple("abc"[i] for i in found.chosen)


# ---- each method


@pytest.fixture(scope="module")
def pencil(keras):
    """A 2 x 2 image, channels x and max(2x - 3, 0), flattened: each cell has its own weight."""
    layers = [
        keras.Input((2, 2, 1)),
        keras.layers.Conv2D(2, 1, activation="relu", name="conv"),
        keras.layers.Flatten(),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.layers[0].set_weights([np.array([[[[1.0, 2.0]]]]), np.array([0.0, -3.0])])
    model.layers[2].set_weights([SLOPES.reshape(8, 1), np.zeros(1)])
    return model


IMAGE = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
VALUES = np.array([[[1.0, 0.0], [2.0, 1.0]], [[3.0, 3.0], [4.0, 5.0]]])
SLOPES = np.array([[[1.0, 2.0], [-1.0, 3.0]], [[2.0, -1.0], [0.5, -1.0]]])


def normal(values):
    return np.maximum(values, 0) / values.max()


def test_grad_cam_by_hand(pencil):
    # Mean slopes: (1 - 1 + 2 + 0.5) / 4 = 0.625 and (2 + 3 - 1 - 1) / 4 = 0.75.
    np.testing.assert_allclose(
        grad_cam(pencil, IMAGE, target=1)[0], normal(VALUES @ [0.625, 0.75]), atol=1e-6
    )


def test_hires_cam_by_hand(pencil):
    # Value times slope, summed: [[1, 1], [3, -3]].
    np.testing.assert_allclose(
        hires_cam(pencil, IMAGE, target=1)[0], [[1 / 3, 1 / 3], [1, 0]], atol=1e-6
    )


def test_layer_cam_by_hand(pencil):
    # Value times positive slope, summed: [[1, 3], [6, 2]].
    np.testing.assert_allclose(
        layer_cam(pencil, IMAGE, target=1)[0], [[1 / 6, 1 / 2], [1, 1 / 3]], atol=1e-6
    )


def test_grad_cam_plus_plus_by_hand(pencil):
    # The channels' sums are 10 and 9; a positive slope g weighs g / (2 + 10 g) or g / (2 + 9 g).
    first = 1 / 12 + 2 / 22 + 0.5 / 7
    second = 2 / 20 + 3 / 29
    np.testing.assert_allclose(
        grad_cam_plus_plus(pencil, IMAGE, target=1)[0], normal(VALUES @ [first, second]), atol=1e-6
    )


def test_eigen_cam_is_the_first_component(pencil):
    *_, right = np.linalg.svd(VALUES.reshape(4, 2))
    expected = (VALUES @ right[0]) * np.sign((VALUES @ right[0]).sum())
    np.testing.assert_allclose(eigen_cam(pencil, IMAGE)[0], normal(expected), atol=1e-5)


def test_eigen_cam_keeps_the_sign_that_the_cells_have(keras, batch):
    inputs = keras.Input((16, 16, 3))
    conv = keras.layers.Conv2D(2, 1, use_bias=False)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(conv(inputs)))
    conv.set_weights([np.ones((1, 1, 3, 2))])
    grey = batch.astype(float).sum(axis=3)
    expected = grey / grey.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(eigen_cam(model, batch), expected, atol=1e-4)


def test_score_cam_by_hand(pencil):
    image = IMAGE[0, ..., 0]
    scores = []
    for channel in np.moveaxis(VALUES, -1, 0):
        masked = image * (channel - channel.min()) / np.ptp(channel)
        features = np.stack([masked, np.maximum(2 * masked - 3, 0)], axis=-1)
        scores.append((features * SLOPES).sum())
    weights = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(
        score_cam(pencil, IMAGE, target=1)[0], normal(VALUES @ weights), atol=1e-5
    )
    # The second channel spreads most.
    np.testing.assert_allclose(
        score_cam(pencil, IMAGE, target=1, channels=1)[0], normal(VALUES[..., 1]), atol=1e-6
    )


def test_occlusion_by_hand(pencil):
    # Covering one pixel removes its own terms: [[1, 1], [3, -3]], as HiResCAM has here.
    np.testing.assert_allclose(
        occlusion(pencil, IMAGE, target=1, patch=1)[0], [[1 / 3, 1 / 3], [1, 0]], atol=1e-6
    )


def test_occlusion_covers_every_pixel(keras):
    # The score is the mean, so every pixel's mean loss is the same wherever patches overlap.
    model = keras.Sequential([keras.Input((7, 9, 1)), keras.layers.GlobalAveragePooling2D()])
    found = occlusion(model, np.ones((1, 7, 9, 1)), target=1, patch=3, step=2)
    np.testing.assert_allclose(found, 1, atol=1e-5)


def test_saliency_by_hand(pencil):
    # Slopes by the pixels: the first channel's, and twice the second's where it is not cut off.
    # [[1, -1 + 6], [2 - 2, 0.5 - 2]].
    np.testing.assert_allclose(
        saliency(pencil, IMAGE, target=1)[0], [[1 / 5, 1], [0, 1.5 / 5]], atol=1e-6
    )


def test_smooth_grad_without_noise_is_saliency(build, batch):
    np.testing.assert_allclose(
        smooth_grad(build(), batch, noise=0, samples=2), saliency(build(), batch), atol=1e-5
    )
    repeated = [smooth_grad(build(), batch, samples=3, seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(repeated[0], repeated[1])
    assert not np.allclose(repeated[0], repeated[2])


def test_integrated_gradients_add_up_to_the_rise(build, batch):
    job = prepare(build(), batch, target=1)
    images, targets = next(job.batches())
    answer = job.engine.run(images, targets, differentiate=False)
    empty = job.engine.run(np.zeros_like(images), targets, differentiate=False)
    shares = attributions(
        job, images, pin(targets, answer.chosen), np.zeros(images.shape[1:]), 300
    )
    rise = answer.score - empty.score
    np.testing.assert_allclose(shares.sum(axis=(1, 2, 3)), rise, rtol=0.01, atol=0.01)


def test_integrated_gradients_from_the_image_itself_are_nothing(build, batch):
    found = integrated_gradients(build(), batch[:1], target=1, baseline=batch[0], steps=2)
    assert not found.any()


def test_hires_cam_is_grad_cam_after_global_pooling(build, batch):
    np.testing.assert_allclose(
        hires_cam(build(), batch, target=1), grad_cam(build(), batch, target=1), atol=1e-5
    )


# ---- layers, fused


def test_several_layers_fuse(build, batch):
    parts = [layer_cam(build(), batch, target=1, layer=one) for one in ("conv_a", "conv_b")]
    stack = np.stack(parts)
    expected = {
        "mean": stack.mean(axis=0),
        "max": stack.max(axis=0),
        "product": np.sqrt(stack.prod(axis=0)),
    }
    for how, values in expected.items():
        found = layer_cam(build(), batch, target=1, layer=["conv_a", "conv_b"], fuse=how)
        highest = values.max(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(found, values / highest, atol=1e-5)


def test_strides_take_the_last_layer_of_each_size(build, batch):
    np.testing.assert_array_equal(
        layer_cam(build(), batch, target=1, strides=(2,)),
        layer_cam(build(), batch, target=1, layer="conv_b"),
    )
    np.testing.assert_array_equal(
        layer_cam(build(), batch, target=1, strides=(2, 4)),
        layer_cam(build(), batch, target=1, layer=["conv_b", "pool_b"]),
    )


@pytest.mark.parametrize("method", [score_cam, eigen_cam])
def test_gradient_free_methods_fuse_too(build, batch, method):
    assert method(build(), batch, strides=(2, 4), fuse="mean").max() == 1


# ---- arithmetic and look-up


def test_enlarging_is_tensorflows_resize():
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    for size, wanted in (((7, 7), (224, 224)), ((5, 3), (16, 11)), ((6, 8), (6, 8))):
        maps = rng.random((2, *size)).astype(np.float32)
        expected = tf.image.resize(maps[..., None], wanted, method="bilinear")[..., 0]
        np.testing.assert_allclose(enlarge(maps, wanted), expected, atol=1e-6)


def test_names_are_forgiving_and_errors_helpful(build, batch):
    assert get_method("Layer-CAM") is layer_cam
    with pytest.raises(ParameterError, match="use one of grad_cam"):
        get_method("lime")
    assert "layer" not in method_options("occlusion")
    with pytest.raises(ParameterError, match="takes no such option; it takes target"):
        explain_batch(build(), batch, method="saliency", layer="conv_a")


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (occlusion, {"patch": 17}, "patch"),
        (occlusion, {"patch": 4, "step": 5}, "step"),
        (occlusion, {"baseline": np.nan}, "baseline"),
        (score_cam, {"channels": 0}, "channels"),
        (smooth_grad, {"samples": 0}, "samples"),
        (smooth_grad, {"noise": -1}, "noise"),
        (integrated_gradients, {"steps": 2.5}, "steps"),
        (integrated_gradients, {"baseline": np.zeros((4, 4, 3))}, "baseline"),
        (integrated_gradients, {"baseline": "black"}, "baseline"),
    ],
)
def test_wrong_options_are_named(build, batch, method, options, message):
    with pytest.raises(ParameterError, match=message):
        method(build(), batch, **options)


def test_methods_on_the_image_need_no_visible_layer(keras, batch):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = keras.layers.Conv2D(2, 3)
            self.pool = keras.layers.GlobalAveragePooling2D()

        def call(self, inputs):
            return self.pool(self.conv(inputs))

    model = Own()
    model(batch.astype(np.float32))
    for one in (saliency, smooth_grad, integrated_gradients, occlusion):
        assert one(model, batch).shape == (5, 16, 16)
