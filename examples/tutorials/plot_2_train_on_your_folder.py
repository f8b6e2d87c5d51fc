"""
Train on your folder
====================

From a folder of images to a model with figures. The images are drawn here; with scans of your own,
leave the first step out.

**Research software, not a medical device.**
"""

# %%
# One folder for each class
# -------------------------
#
# ``glioma``, ``meningioma``, ``notumor`` and ``pituitary``, or ``yes`` and ``no``, or the names that
# public data sets give them: ``no_tumor``, ``healthy``, ``glioma_tumor``. How each was read is told.

import tempfile
from pathlib import Path

from mri_tumor import TumorClassifier, load_dataset, make_phantoms

folder = Path(tempfile.mkdtemp())
make_phantoms(120, size=96, classes=("notumor", "tumor"), folder=folder / "scans")

data = load_dataset(folder / "scans")
print(data.summary())

# %%
# Every file was read once: what cannot be used would be named now. Copies and near-copies share a
# group, and a group is never on both sides of the split. If you know the patients, say so:
# ``load_dataset("table.csv")`` reads the columns ``path``, ``label`` and ``patient``.
#
# Train
# -----
#
# ``weights="brain-mri"`` starts from the model that ships, so that this page needs no network; without
# it, Keras downloads ImageNet's weights once. This trains the head only, with two variants of each
# image, to be quick. For real work leave those settings alone and add ``finetune_epochs=3``.

classifier = TumorClassifier(weights="brain-mri", n_variants=2, epochs=15)
classifier.fit(data.train, validation_data=data.validation)

import matplotlib.pyplot as plt

from mri_tumor.plots import plot_history

plot_history(classifier.history_, metric="loss", ax=plt.subplots()[1])

# %%
# Measure it
# ----------
#
# On the part that nothing has seen. Every figure has a 95% interval; with so few images they are
# wide, and that is the point of them.

report = classifier.evaluate(data.test)
report

# %%
# Keep it
# -------
#
# A saved model is a folder: network, preprocessing, threshold and hashes, and no pickle.

place = classifier.save(folder / "my-model")
again = TumorClassifier.load(place)
print(again.assess(data.test.paths[:1])[0].label)

# %%
# On the command line all of that is one line, which also calibrates the model and writes
# ``report.html``:
#
# .. code-block:: sh
#
#    mri-tumor train scans/ --output my-model
#
# Next: :doc:`fine-tune and evaluate <plot_3_finetune_and_evaluate>`.
