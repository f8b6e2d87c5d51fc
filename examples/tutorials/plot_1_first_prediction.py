"""
First prediction
================

What does a slice show? This page asks the model that ships with the library, offline. The images are
drawn by the library: no real scan is shown anywhere in these pages.

**Research software, not a medical device.**
"""

# %%
# Images to ask about
# -------------------
#
# ``make_phantoms`` draws slices with and without a tumour and writes them as PNG files. With scans of
# your own, skip this step and take their paths.

import tempfile
from pathlib import Path

from mri_tumor import make_phantoms, runtime

folder = Path(tempfile.mkdtemp())
phantoms = make_phantoms(6, size=224, seed=3, folder=folder / "slices")
phantoms

# %%
# Ask the model
# -------------
#
# ``runtime.load`` opens a model without TensorFlow: that takes a fraction of a second.
# ``TumorClassifier.from_pretrained()`` gives the same model with everything that training needs.

model = runtime.load("brain-mri")
rows = model.assess(phantoms.paths)
for row in rows:
    print(row)

# %%
# Each row has a label, a probability of a tumour and a status:
#
# - ``ok``: an answer;
# - ``uncertain``: a tumour and none are both plausible at the model's coverage;
# - ``refused``: not a brain MRI slice, as far as the model can tell;
# - ``error``: the file could not be read; ``message`` says why.
#
# One bad file never stops the others. This model learnt from real scans: what it says of drawn ones
# is often wrong, and says nothing about how well it does on scans.

(folder / "notes.png").write_text("no picture")
print(model.assess([folder / "notes.png"])[0].message)

# %%
# Where did it look?
# ------------------
#
# ``explain`` gives a heatmap for each image, in the pixels of the file as it was.

import matplotlib.pyplot as plt

from mri_tumor.plots import plot_images

heatmaps = model.explain(phantoms.paths[:3])
titles = [f"{row.label}, P(tumour) {row.tumor_probability:.2f}" for row in rows[:3]]
plot_images(
    phantoms.images[:3],
    titles,
    heatmaps=heatmaps,
    n_columns=3,
    ax=plt.subplots(figsize=(9, 3.4))[1],
)

# %%
# A map shows what moved the model, not where a tumour is: :doc:`/explanation/heatmaps`.
#
# On the command line
# -------------------
#
# .. code-block:: sh
#
#    mri-tumor predict slices/
#    mri-tumor explain slices/ --output heatmaps/
#
# Next: :doc:`train on your own folder <plot_2_train_on_your_folder>`.
