"""
Benchmark backbones
===================

Which network should a model stand on? Train each alike on one split, more than once, and look at what
it costs as well. Two small networks and drawn slices stand in for real ones here, so that this page
builds in seconds: its figures mean nothing, its steps do.

**Research software, not a medical device.**
"""

# %%
# Two backbones
# -------------
#
# Any name that ``mri-tumor backbones`` lists would do. These two differ in their width alone
# (:doc:`plot_5_custom_backbone` has what a backbone is).

from functools import partial

import keras

from mri_tumor import BackboneSpec, load_dataset, make_phantoms, register_backbone, run_benchmark


def build(input_shape, weights, width):
    """Build three convolutions of a given width."""
    image = values = keras.Input(input_shape)
    for times in (1, 2, 4):
        values = keras.layers.Conv2D(width * times, 5, strides=2, activation="relu")(values)
    network = keras.Model(image, values)
    if weights is not None:
        network.load_weights(weights)
    return network


def scaling():
    """Take RGB in [0, 255] to [0, 1]."""
    return [keras.layers.Rescaling(1 / 255, name="scaling")]


for name, width in (("Narrow", 4), ("Wide", 12)):
    register_backbone(
        BackboneSpec(
            name=name,
            builder=partial(build, width=width),
            scaling=scaling,
            input_size=64,
            finetune_layers=2,
            weights=(),
        ),
        overwrite=True,
    )

# %%
# One split, several seeds
# ------------------------
#
# Images are divided once, by group. Every backbone is trained on the same parts, once for each seed:
# seeds alone move an accuracy, and one training of each would compare luck.

import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
make_phantoms(160, size=64, classes=("notumor", "tumor"), folder=folder / "scans")
data = load_dataset(folder / "scans", split="new")

result = run_benchmark(
    data,
    ["Narrow", "Wide"],
    output=folder / "bench",
    seeds=2,
    weights={"Narrow": None, "Wide": None},
    epochs=10,
    n_variants=1,
    threads=(1,),
)
table = result.to_frame()
table.set_index("backbone").T

# %%
# Read it
# -------
#
# - ``accuracy`` is a mean over seeds; its interval is about the test images, which are few here.
# - ``difference`` is the accuracy minus that of the first backbone on the same images and seeds. If its
#   interval holds 0, the test part cannot tell the two apart.
# - Multiply-adds are counted; milliseconds are measured, one backbone after the other in turn, in
#   processes without TensorFlow.

import matplotlib.pyplot as plt

result.plot(ax=plt.subplots(figsize=(6, 4))[1])

# %%
# Stop it, and go on
# ------------------
#
# What is finished stays in the folder. The same call trains nothing anew, and more seeds or backbones
# can be added; another recipe is refused there.

again = run_benchmark(
    data,
    ["Narrow", "Wide"],
    output=folder / "bench",
    seeds=2,
    weights={"Narrow": None, "Wide": None},
    epochs=10,
    n_variants=1,
    threads=(1,),
    say=print,
)
print(sorted(path.name for path in (folder / "bench").iterdir()))

# %%
# On the command line
# -------------------
#
# .. code-block:: text
#
#    mri-tumor benchmark scans/ --backbone MobileNetV2 --backbone EfficientNetB0 --output bench
#
# :doc:`/how-to/which-backbone` has how to make it cheaper, and how to read the tables.
