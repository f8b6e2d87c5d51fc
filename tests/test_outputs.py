"""All that a network gives, by its backbone, through a runtime, and back from a bundle."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from mri_tumor import TumorClassifier, runtime
from mri_tumor.errors import BackboneError
from mri_tumor.gate import describe_all, fit_gate
from mri_tumor.gate.network import inputs_of
from mri_tumor.images.preprocessing import preprocess
from mri_tumor.model import find_backbone
from mri_tumor.outputs import answering_model


def test_the_gates_layer_is_pooled_beside_the_same_answers(fitted, blob_images):
    values = np.stack(
        [preprocess(image, fitted.preprocessing_)[0] for image in blob_images[0][:3]]
    )
    values = values.astype(np.float32)
    outputs, maps, features = answering_model(fitted.model_, gate_layer="first").predict(
        values, verbose=0
    )
    two = answering_model(fitted.model_).predict(values, verbose=0)
    np.testing.assert_allclose(outputs, two[0], atol=1e-6)
    np.testing.assert_allclose(maps, two[1], atol=1e-5)
    # By hand: the backbone's first layer on scaled pixels, and its mean over the cells.
    first = find_backbone(fitted.model_).get_layer("first")
    by_hand = keras.ops.convert_to_numpy(first(values / 255)).mean(axis=(1, 2))
    np.testing.assert_allclose(features[:, 0], by_hand, atol=1e-5)


def test_features_of_several_layers_follow_each_other(fitted, blob_images):
    values = np.stack([preprocess(blob_images[0][0], fitted.preprocessing_)[0]] * 2)
    values = values.astype(np.float32)
    single = [
        answering_model(fitted.model_, gate_layer=name).predict(values, verbose=0)[2]
        for name in ("second", "first")
    ]
    *_, joined = answering_model(fitted.model_, gate_layer="second+first").predict(
        values, verbose=0
    )
    np.testing.assert_allclose(joined, np.concatenate(single, axis=-1), atol=1e-6)


@pytest.mark.parametrize("layer", ["block_99", "first+block_99"])
def test_a_layer_that_is_not_there_is_named(fitted, layer):
    with pytest.raises(BackboneError, match="no layer 'block_99'"):
        answering_model(fitted.model_, gate_layer=layer)


@pytest.mark.parametrize("layer", ["first", "first+second"])
def test_a_gate_on_inner_layers_survives_saving_and_every_runtime(
    fitted, blob_images, tmp_path, layer
):
    images = list(blob_images[0])
    noise = list(np.random.default_rng(0).integers(0, 256, (24, 80, 80)).astype(np.uint8))
    network = answering_model(fitted.model_, gate_layer=layer)

    def features(pictures):
        values = np.stack([preprocess(one, fitted.preprocessing_)[0] for one in pictures])
        return network.predict(values.astype(np.float32), verbose=0)[2][:, 0]

    gate = fit_gate(
        describe_all(images),
        features(images),
        other_descriptions=describe_all(noise),
        other_features=features(noise),
        max_refused=0.2,
        layer=layer,
    )
    # A cut in the widest gap between the scans' scores, so that rounding moves none across it.
    scores = np.sort(gate.network.score(inputs_of(describe_all(images), features(images))))
    widest = int(np.diff(scores[4:20]).argmax()) + 4
    gate = replace(gate, cut=float(scores[widest : widest + 2].mean()))
    fitted.save(tmp_path / "before")
    gated = TumorClassifier.load(tmp_path / "before")
    gated.gate_ = gate
    gated.save(tmp_path / "model", runtime=True)
    wanted = [bool(reason) for reason in gate.check(images + noise, features(images + noise))]
    assert 4 <= sum(wanted[:24]) <= 20
    assert wanted[-24:] == [True] * 24
    again = TumorClassifier.load(tmp_path / "model")
    assert again.gate_.layer == layer
    for model in (again, runtime.load(tmp_path / "model")):
        found = [row.status == "refused" for row in model.assess(images + noise)]
        assert found == wanted
        # A heatmap takes the feature map, whatever else the network gives.
        assert model.explain(images[:1])[0].values.shape == images[0].shape
