"""
Fine-tune and evaluate
======================

The head alone is quick and often good enough to look at. Fine-tuning opens the last layers of the
backbone, and a threshold chosen on images of their own makes the answers mean something.

**Research software, not a medical device.**
"""

# %%
# Start from a trained head
# -------------------------
#
# The network sees 96 pixels and starts from the weights that ship, so that this page builds quickly and
# needs no network. Take the defaults for real work.

from mri_tumor import TumorClassifier, make_phantoms

settings = {"classes": ("notumor", "tumor"), "size": 96}
train = make_phantoms(120, seed=0, **settings)
calibration = make_phantoms(60, seed=1, **settings)
test = make_phantoms(60, seed=2, **settings)

classifier = TumorClassifier(weights="brain-mri", input_size=96, n_variants=2, epochs=10)
classifier.fit(train.images, train.labels)

# %%
# Open the last layers
# --------------------
#
# ``finetune`` goes on from there, at a lower rate with a warm-up. Batch normalisation keeps its
# statistics (:doc:`/explanation/batch-normalisation`). If no epoch is better than the model as it was,
# it stays as it was. Three layers are opened here, the last convolution with what belongs to it; the
# default of MobileNetV2 is 38.

classifier.set_params(finetune_layers=3)
classifier.finetune(train.images, train.labels, epochs=3)

import matplotlib.pyplot as plt

from mri_tumor.plots import plot_history

plot_history(classifier.history_, metric="loss", ax=plt.subplots()[1])

# %%
# Choose a threshold on other images
# ----------------------------------
#
# Not on the training images, and not on the test images. ``calibrate`` fits the temperature, the
# threshold and the prediction sets. Fine-tuning has dropped those of before, since they belonged to
# other weights.

classifier.calibrate(calibration.images, calibration.labels, sensitivity=0.95)
print(classifier.rule_.operating_point)

# %%
# Measure
# -------

report = classifier.evaluate(test.images, test.labels)
report

# %%
# The images that it was least certain of are the first to look at.

from mri_tumor.plots import plot_confusion_matrix, plot_images

plot_confusion_matrix(report.confusion_matrix, report.classes, ax=plt.subplots()[1])

# %%

doubtful = report.least_certain(4)
places = [row["index"] for row in doubtful]
titles = [f"{row['label']}, called {row['predicted']}" for row in doubtful]
axes = plt.subplots(figsize=(9, 2.9))[1]
plot_images([test.images[i] for i in places], titles, n_columns=4, ax=axes)

# %%
# ``write_html_report`` puts figures, curves, calibration and such images on one page that opens without
# a network. :doc:`/explanation/calibration-and-thresholds` says what the threshold promises.
