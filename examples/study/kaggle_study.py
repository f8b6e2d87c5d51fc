"""
A study, from audit to report
=============================

What a careful look at a public data set takes: audit it, split it so that nothing leaks, train, choose
a threshold on images of their own, measure with intervals, look at what was called wrongly and where
the model looked, and say what cannot be said.

Set ``STUDY_DATA`` to the unpacked *Brain Tumor MRI Dataset* of masoudnickparvar (its ``Training``
folder), and ``STUDY_OUTPUT`` to a folder for the model; without them the study runs on slices that the
library draws, and its figures mean nothing. No scan is shown.

**Research software, not a medical device.**
"""

# %%
# Set up
# ------

import os
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from mri_tumor import TumorClassifier, audit_dataset, load_dataset, make_phantoms
from mri_tumor.data import DataWarning
from mri_tumor.data.dividing import halve

# What it warns of, copies and small parts, is what this study is about.
warnings.simplefilter("ignore", DataWarning)
sns.set_theme(style="whitegrid", palette="colorblind", context="notebook")
pd.set_option("display.max_colwidth", None)

source = os.environ.get("STUDY_DATA")
output = Path(os.environ.get("STUDY_OUTPUT") or tempfile.mkdtemp())
boxes = None
# With real scans, the default recipe from ImageNet weights. Drawn slices only show that all of it runs.
recipe = {"finetune_epochs": 3}
if source is None:
    drawn = make_phantoms(400, size=96, seed=1, folder=output / "drawn")
    source = output / "drawn"
    recipe = {"weights": "brain-mri", "input_size": 96, "epochs": 4, "n_variants": 1}
else:
    table = Path(source).parent / "boxes.csv"
    boxes = pd.read_csv(table) if table.is_file() else None

# %%
# Audit
# -----
#
# Before any training: how many images are copies, and how much do things that should not matter tell
# of the label?

data = load_dataset(source, split="new", seed=0)
audit = audit_dataset(data)
pd.Series(audit.figures, name="images or groups").to_frame()

# %%
# Copies make an image count several times. This is how many images stand in groups of which size:

sizes = pd.Series(data.groups).value_counts()
bins = pd.cut(sizes, [0, 1, 2, 5, 10, np.inf], labels=["1", "2", "3-5", "6-10", "more"])
in_bins = sizes.groupby(bins, observed=True).sum()
ax = sns.barplot(x=bins.unique().sort_values(), y=in_bins, ax=plt.subplots()[1])
ax.set(xlabel="images in the group", ylabel="images", title="Near-duplicates and identical images")
# %%
# The shortcut check asks a linear model, by group, to tell the label from what should not matter.

shortcuts = pd.DataFrame(audit.to_dict()["shortcuts"]).set_index("name")
shortcuts[["looks_at", "tumor_auc", "balanced_accuracy", "verdict"]].round(3)

# %%
# Split
# -----
#
# By group, so that no copy of a training image is tested on. Of the validation part one half chooses
# the epoch; the other fits temperature, threshold and prediction sets.

choosing, calibration = halve(data.validation, seed=0)
counts = pd.DataFrame(data.counts()).T
counts.assign(all=counts.sum(axis=1))

# %%
# Train, or go on with what was trained
# -------------------------------------
#
# A model that is there is used. ``mri-tumor train`` makes the same one, on the same split.
# Epochs are judged by their loss after the best temperature, so the one that is kept need not be the
# lowest point of this curve.

place = output / "model"
if not (place / "metadata.json").is_file():
    classifier = TumorClassifier(seed=0, **recipe)
    classifier.fit(data.train, validation_data=choosing, checkpoint=output / "unfinished")
    classifier.calibrate(calibration)
    classifier.save(place)
classifier = TumorClassifier.load(place)

from mri_tumor.plots import plot_history

plot_history(classifier.history_, metric="loss", ax=plt.subplots(figsize=(6, 3.4))[1])
# %%
# Measure
# -------
#
# On the test part, which chose nothing. The intervals draw groups anew, not images.

report = classifier.evaluate(data.test)


def with_interval(value, ends):
    """Write a share and its interval in per cent."""
    return f"{100 * value:.1f}% ({100 * ends[0]:.1f}-{100 * ends[1]:.1f})"


pd.DataFrame(
    {
        "four classes": {
            name: with_interval(report.figures[name], report.intervals[name])
            for name in ("accuracy", "balanced_accuracy", "f1", "auc")
        },
        "tumour or not": {
            name: with_interval(report.tumor[name], report.intervals["tumor"][name])
            for name in (
                "accuracy",
                "balanced_accuracy",
                "f1",
                "auc",
                "sensitivity",
                "specificity",
            )
        },
    }
).fillna("")

# %%

from mri_tumor.plots import plot_confusion_matrix

plot_confusion_matrix(
    report.confusion_matrix, report.classes, ax=plt.subplots(figsize=(6.4, 5))[1]
)
# %%
# Does a probability mean what it says?
# -------------------------------------

images = pd.DataFrame(
    classifier.predict_proba(data.test), columns=[f"P({name})" for name in classifier.classes_]
)
images["label"] = data.test.labels
images["group"] = data.test.groups
images["P(tumour)"] = 1 - images["P(notumor)"]
images["called"] = classifier.predict(data.test)
images["right"] = images["label"] == images["called"]

grid = sns.displot(
    images, x="P(tumour)", col="label", bins=20, height=2.5, aspect=1.0,
    facet_kws={"sharey": False},
)  # fmt: skip
for ax in grid.axes.flat:
    ax.axvline(classifier.rule_.threshold, color="black", linestyle="--", linewidth=1)
    ax.set_ylim(bottom=0.8)
    ax.set_yscale("log")
grid.set_titles("{col_name}")
grid.set_ylabels("images")
# %%
# The dashed line is the threshold. Calibration error before and after the temperature, and how often
# the prediction sets hold the true class:

from mri_tumor.reporting import describe_decisions

decisions = describe_decisions(classifier.rule_, report)
sets = decisions.get("prediction_sets", {})
pd.Series(
    {
        "threshold": decisions["threshold"],
        "temperature": classifier.rule_.temperature,
        "calibration error before": decisions["before"]["expected_calibration_error"],
        "calibration error after": decisions["after"]["expected_calibration_error"],
        "prediction sets that hold the class": sets.get("coverage_found", np.nan),
        "answers that are uncertain": sets.get("uncertain", np.nan),
    },
    name="P(tumour)",
).round(3).to_frame()

# %%
# What was called wrongly?
# ------------------------
#
# Not one by one, since that would need the scans, but by kind: which class, and how sure.

images["certainty"] = images.filter(like="P(").drop(columns="P(tumour)").max(axis=1)
wrong = images[~images["right"]]
pd.crosstab(wrong["label"], wrong["called"], margins=True, margins_name="all")

# %%

ax = sns.ecdfplot(images, x="certainty", hue="right", ax=plt.subplots()[1])
ax.set(xlabel="probability of the class named", ylabel="share of the images")
# %%
# Errors that come in groups are one patient, or one picture, and not several:

pd.Series(
    {
        "wrong images": len(wrong),
        "their groups": wrong["group"].nunique(),
        "groups in the test part": images["group"].nunique(),
    },
    name="number",
).to_frame()

# %%
# Where did it look?
# ------------------
#
# How often a map's peak lies in the box around the tumour, beside two lines without a model: the centre
# of the picture, and its brightest blob. Drawn slices have masks, public scans boxes for some; of
# those 120 at most are looked at.

from mri_tumor.explain import explanation_report

if boxes is not None:
    where = boxes.set_index("file")
    names = ["/".join(Path(path).parts[-2:]) for path in data.test.paths]
    boxed = [i for i, name in enumerate(names) if name in where.index]
    chosen = np.sort(np.random.default_rng(0).permutation(boxed)[:120]).tolist()
    fields = ["x_center", "y_center", "width", "height"]
    regions = {"boxes": where.loc[[names[i] for i in chosen], fields].to_numpy()}
else:
    of_path = dict(zip(map(str, drawn.paths), drawn.masks, strict=True))
    chosen = [i for i, label in enumerate(data.test.labels) if label != "notumor"]
    regions = {"masks": [of_path[str(data.test.paths[i])] for i in chosen]}
methods = {
    "Grad-CAM": {"method": "grad_cam"},
    "LayerCAM": {"method": "layer_cam", "strides": (8, 16, 32)},
}
trust = explanation_report(
    classifier, data.test.subset(chosen), methods=methods, steps=0, randomisation=0,
    labels=[data.test.labels[i] for i in chosen], **regions,
)  # fmt: skip
pointing = pd.DataFrame(
    [
        {"method": one.method, "class": one.label, "images": one.n_images,
         "in the region": one.pointing, "near it": one.near, "best IoU": one.iou}
        for one in trust.summary
    ]
)  # fmt: skip
pointing[pointing["class"] == "all"].drop(columns="class").set_index("method").round(3)

# %%

ax = sns.barplot(pointing, x="in the region", y="method", hue="class", ax=plt.subplots()[1])
ax.set(xlabel="share of the maps whose peak lies in the region", ylabel="", xlim=(0, 1))
sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5))
# %%
# The report
# ----------
#
# One page that opens without a network. It shows some of the scans, so it stays with you.

from mri_tumor import write_html_report
from mri_tumor.reporting import report_content

write_html_report(
    output / "study.html", evaluation=report, **report_content(classifier, report, dataset=data)
)
print(f"{(output / 'study.html').stat().st_size / 1e6:.1f} MB")

# %%
# What can be said
# ----------------
#
# That on images of these archives, of which none is a near-copy of a training image, so many were
# called as their label says. The shortcut check shows how much of that may be the archive and not the
# tumour, and nothing here is about another hospital: :doc:`/explanation/other-hospitals`. What the
# copies alone feign is measured in :doc:`/explanation/leakage`.
