"""
Export to a small device
========================

A saved model becomes a folder that answers without TensorFlow, and is checked against the original
before it is written.

**Research software, not a medical device.**
"""

# %%
# A model to export
# -----------------
#
# One that sees 96 pixels, so that this page builds quickly. ``"brain-mri"``, or the folder of a model of
# your own, goes the same way.

import tempfile
from pathlib import Path

from mri_tumor import TumorClassifier, make_phantoms, runtime
from mri_tumor.export import export_model

folder = Path(tempfile.mkdtemp())
data = make_phantoms(60, size=96, classes=("notumor", "tumor"))
classifier = TumorClassifier(weights="brain-mri", input_size=96, n_variants=1, epochs=15)
classifier.fit(data.images, data.labels)
model = classifier.save(folder / "model")

# %%
# Export
# ------
#
# LiteRT in 32-bit arithmetic is the default: it changes no answer. The agreement with the original is
# measured, and nothing is written if more than one label in 200 changes.

exported = export_model(model, folder / "small", format="litert")
print(exported.agreement)
print(f"{exported.n_bytes / 1e6:.1f} MB")

# %%
# ``litert-int8`` computes in 8-bit integers: smaller and quicker, and it changes some answers. Give it
# images such as the model was trained on by ``calibration=``.
#
# Use it there
# ------------
#
# Copy the folder to the device. NumPy, Pillow and LiteRT are all it needs; the other packages of the
# library are not (:doc:`/how-to/small-machine`).

small = runtime.load(folder / "small", threads=1)
print(small)
for row in small.assess(data.images[:3]):
    print(row)

# %%
# The same answers as before:

import numpy as np

change = np.abs(small.predict_proba(data.images) - classifier.predict_proba(data.images)).max()
print(f"largest change of a probability: {change:.4f}")

# %%
# On the command line:
#
# .. code-block:: sh
#
#    mri-tumor export my-model --format litert --output small
#    mri-tumor predict scans/ --model small
