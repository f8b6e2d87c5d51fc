"""
Register a backbone of your own
===============================

Any Keras network that ends in a feature map can be a backbone. This page makes one of three
convolutions, trains it, and compares its parameters with those of others.

**Research software, not a medical device.**
"""

# %%
# A builder and a scaling
# -----------------------
#
# The builder takes the input's shape and weights and returns a network without its classification
# layers. The scaling takes RGB in [0, 255] to what the network wants.

import keras

from mri_tumor import (
    BackboneSpec,
    TumorClassifier,
    list_backbones,
    make_phantoms,
    register_backbone,
)


def build(input_shape, weights):
    """Build three convolutions, a sixteenth of the input's side at their end."""
    image = values = keras.Input(input_shape)
    for filters in (8, 16, 32):
        values = keras.layers.Conv2D(filters, 5, strides=2, padding="same", activation="relu")(
            values
        )
    network = keras.Model(image, values, name="three_convolutions")
    if weights is not None:
        network.load_weights(weights)
    return network


def scaling():
    """Take RGB in [0, 255] to [0, 1]."""
    return [keras.layers.Rescaling(1 / 255, name="scaling")]


# %%
# Register it
# -----------
#
# ``weights=()`` says that it brings none: it starts from chance. ``finetune_layers`` is how many of its
# last layers fine-tuning opens. ``overwrite=True`` lets a cell run again.

register_backbone(
    BackboneSpec(
        name="ThreeConvolutions",
        builder=build,
        scaling=scaling,
        input_size=64,
        finetune_layers=2,
        weights=(),
    ),
    overwrite=True,
)
print("ThreeConvolutions" in list_backbones())

# %%
# Use it like any other
# ---------------------

data = make_phantoms(120, size=64, classes=("notumor", "tumor"))
classifier = TumorClassifier(
    "ThreeConvolutions", weights=None, n_variants=1, epochs=10, finetune_epochs=5
)
classifier.fit(data.images, data.labels)
print(f"{classifier.model_.count_params():,} parameters")
print(f"stages: {sorted(set(classifier.history_['stage']))}")

# %%
# Heatmaps, saving and evaluation work as they do for every backbone.

classifier.explain(data.images[:1])[0]

# %%
# To give it to others, put it into a package with one entry point:
# :doc:`/how-to/publish-a-backbone`. ``mri-tumor backbones`` lists what is installed.
