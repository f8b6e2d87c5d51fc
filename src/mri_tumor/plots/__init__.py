"""Pictures of data, training and results; each function draws on one Axes and returns it.

Without `ax`, a new figure is made that pyplot knows nothing of: `ax.figure.savefig("x.png")`
writes it, and nothing stays open. In a notebook, pass `ax=plt.subplots()[1]` to see it below the
cell. Nothing here calls `show`. Matplotlib is imported when something is drawn.
"""

from mri_tumor.plots.augmentation import plot_augmentation
from mri_tumor.plots.counts import (
    plot_class_balance,
    plot_confusion_matrix,
    plot_score_histogram,
)
from mri_tumor.plots.curves import plot_precision_recall, plot_reliability, plot_roc
from mri_tumor.plots.scores import plot_scores_by_class
from mri_tumor.plots.sheets import plot_images
from mri_tumor.plots.training import plot_history

__all__ = [
    "plot_augmentation",
    "plot_class_balance",
    "plot_confusion_matrix",
    "plot_history",
    "plot_images",
    "plot_precision_recall",
    "plot_reliability",
    "plot_roc",
    "plot_score_histogram",
    "plot_scores_by_class",
]
