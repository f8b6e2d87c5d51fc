"""Pictures for nets too small for phantoms."""

import numpy as np


def blobs(n_per_class=12, *, seed=0, size=80):
    """Draw heads with a bright spot (tumor), or without, for nets too small for phantoms."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    head = ((rows - 0.5) ** 2 + (columns - 0.5) ** 2 < 0.16) * 90.0
    images, labels = [], []
    for label in ("notumor", "tumor"):
        for _ in range(n_per_class):
            image = head + rng.normal(0, 6, head.shape)
            if label == "tumor":
                y, x = rng.uniform(0.35, 0.65, 2)
                image += 150.0 * ((rows - y) ** 2 + (columns - x) ** 2 < 0.012)
            images.append(np.clip(image, 0, 255).astype(np.uint8))
            labels.append(label)
    return np.stack(images), np.array(labels)
