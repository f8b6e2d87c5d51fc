"""
Read a heatmap
==============

Where was the evidence, how sharp is that, and when is a map not worth looking at? The masks of drawn
tumours allow it to be checked.

**Research software, not a medical device.**
"""

# %%
# A map and its target
# --------------------
#
# A map answers a question about one class. Without a target it is the likeliest *tumour* class, so that
# the map of a slice which the model calls healthy shows what spoke for a tumour nonetheless.

import numpy as np

from mri_tumor import make_phantoms, runtime

phantoms = make_phantoms(12, size=224, seed=11, skull=True, planes=["axial"])
model = runtime.load("brain-mri")
ill = np.flatnonzero(phantoms.labels != "notumor")[:4]
heatmaps = model.explain(phantoms.images[ill])
heatmaps[0]

# %%
# ``values`` is the map in [0, 1], in the image's own pixels; ``peak`` is the place of its largest value
# as fractions of width and height.

print(heatmaps[0].values.shape, heatmaps[0].peak)

# %%
# How coarse it is
# ----------------
#
# Head-CAM asks the model's head about every cell of the last feature map, and Grad-CAM weighs its
# channels: both have 7 by 7 cells here. Enlarged to the image the map looks smooth, but it knows no more
# than those 49 numbers: a border of the blob is no border of a tumour.
#
# Beside the mask
# ---------------
#
# Green is the outline of the drawn tumour, the cross is the map's peak.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 4, figsize=(10, 2.9))
for ax, heatmap, index in zip(axes, heatmaps, ill, strict=True):
    ax.imshow(heatmap.overlay())
    ax.contour(phantoms.masks[index], levels=[0.5], colors="lime", linewidths=1)
    x, y = heatmap.peak
    ax.plot(x * 224, y * 224, "x", color="white", markersize=9)
    ax.set_title(phantoms.labels[index])
    ax.set_axis_off()

# %%
# Count it
# --------
#
# The *pointing game* asks whether the peak lies in the region. Two lines without a model set the bar: a
# peak that is always in the centre, and the brightest blob. A method that does not beat them says little.


def inside(peak, mask):
    """Say whether a peak lies in a mask."""
    x, y = (int(fraction * 224) for fraction in peak)
    return bool(mask[y, x])


found = np.mean([inside(h.peak, phantoms.masks[i]) for h, i in zip(heatmaps, ill, strict=True)])
centre = np.mean([inside((0.5, 0.5), phantoms.masks[i]) for i in ill])
print(f"peak in the drawn tumour: {found:.0%}; always the centre: {centre:.0%}")

# %%
# ``mri_tumor.explain.explanation_report`` does this for whole data sets with boxes or masks, and adds
# deletion and insertion curves and the check that a map changes when the model's weights are shuffled.
# A map that does not change then shows the picture, not the model.
#
# Another method as a second opinion
# ----------------------------------
#
# Occlusion covers one place after the other and watches the probability fall. It is slow, shares no
# mathematics with the others, and where the two disagree neither should be believed.

occluded = model.explain(phantoms.images[ill[:1]], method="occlusion", patch=56, step=28)
figure, axes = plt.subplots(1, 2, figsize=(5.4, 2.9))
for ax, heatmap in zip(axes, (heatmaps[0], occluded[0]), strict=True):
    ax.imshow(heatmap.overlay())
    ax.set_title(heatmap.method)
    ax.set_axis_off()

# %%
# :doc:`/explanation/heatmaps` says what a map can and cannot tell.
