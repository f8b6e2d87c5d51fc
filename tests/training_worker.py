"""Train the blobs in a process of its own: `python training_worker.py SETTINGS.json`."""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
from conftest import _build_tiny, _tiny_scaling
from drawing import blobs

from mri_tumor.backbones import BackboneSpec, register_backbone
from mri_tumor.classifier import TumorClassifier
from mri_tumor.errors import MRITumorError
from mri_tumor.training import loop


def die_behind(epochs):
    """End the process without a word when it begins another epoch after so many, of any stage."""
    told, begun = loop.Reporter.on_epoch_begin, []

    def begin(self, now, logs=None):
        begun.append(now)
        if len(begun) > epochs:
            os._exit(9)
        told(self, now, logs)

    loop.Reporter.on_epoch_begin = begin


def main(settings):
    register_backbone(
        BackboneSpec(
            name="tiny", builder=_build_tiny, scaling=_tiny_scaling, input_size=64,
            finetune_layers=1, weights=(),
        )
    )  # fmt: skip
    if "dies_behind" in settings:
        die_behind(settings["dies_behind"])
    images, labels = blobs()
    classifier = TumorClassifier("tiny", weights=None, cache=False, **settings["classifier"])
    if settings.get("cache"):
        classifier.cache = settings["cache"]
    try:
        classifier.fit(images, labels, checkpoint=settings.get("checkpoint"))
    except MRITumorError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(3)
    np.savez(
        settings["output"],
        *classifier.model_.get_weights(),
        probabilities=classifier.predict_proba(images),
        losses=classifier.history_["loss"],
        validation=classifier.history_["val_loss"],
    )


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
