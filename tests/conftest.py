"""Fixtures that several test files share."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from drawing import blobs
from PIL import Image

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep what the tests cache out of the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MRI_TUMOR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real images; skips where they are missing."""
    if not (REAL_DATA / "brain-tumor-mri" / "Training").is_dir():
        pytest.skip("the real images (../shared/data) are not on this machine")
    return REAL_DATA


def _build_tiny(input_shape, weights):
    import keras

    image = keras.Input(input_shape)
    values = keras.layers.Conv2D(8, 3, strides=4, activation="relu", name="first")(image)
    values = keras.layers.BatchNormalization(name="norm")(values)
    values = keras.layers.Conv2D(16, 3, strides=4, activation="relu", name="second")(values)
    model = keras.Model(image, values, name="tiny")
    if weights is not None:
        model.load_weights(weights)
    return model


def _tiny_scaling():
    import keras

    return [keras.layers.Rescaling(1 / 255, name="scaling")]


@pytest.fixture(scope="session")
def tiny():
    """A two-convolution backbone, registered by the name "tiny"."""
    from mri_tumor.backbones import BackboneSpec, register_backbone
    from mri_tumor.backbones.registry import unregister_backbone

    spec = BackboneSpec(
        name="tiny",
        builder=_build_tiny,
        scaling=_tiny_scaling,
        input_size=64,
        finetune_layers=1,
        weights=(),
    )
    register_backbone(spec)
    yield spec
    unregister_backbone("tiny")


@pytest.fixture(scope="session")
def blob_images():
    """Images of shape (24, 80, 80), uint8, with their labels."""
    return blobs()


@pytest.fixture(scope="session")
def fitted(tiny, blob_images):
    """A small classifier that has learnt the blobs; do not change it."""
    from mri_tumor.classifier import TumorClassifier

    images, labels = blob_images
    return TumorClassifier(
        "tiny",
        weights=None,
        dropout=0.0,
        epochs=40,
        learning_rate=0.01,
        finetune_epochs=10,
        finetune_layers=3,
        finetune_learning_rate=0.003,
        augmentation=None,
        seed=1,
    ).fit(images, labels)


@pytest.fixture
def blob_folder(tmp_path, blob_images):
    """The blobs as PNG files in a folder for each class."""
    images, labels = blob_images
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = tmp_path / "blobs" / {"tumor": "yes", "notumor": "no"}[label] / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path / "blobs"
