"""What a gate for brain MRI is fitted to; the script that trains the weights calls `fit`.

    from gate_recipe import fit
    gate = fit(images, pooled, groups=groups, settings=classifier.preprocessing_)

`images` are the training images, `pooled` takes a batch of model inputs to the model's pooled
features. Research software, not a medical device.
"""

import numpy as np
from non_mri import pictures, scrambles
from scan_looks import LOOKS

from mri_tumor.gate import describe, fit_gate
from mri_tumor.images import as_grey_image
from mri_tumor.images.preprocessing import Preprocessing, preprocess
from mri_tumor.training.robust import Robust

# Skulls are missing in much of what a gate will meet, so that look comes more often.
_DRAWN = [*LOOKS, "skull_removed", "skull_removed", "skull_removed"]
_SCRAMBLED = 300

# The first is frozen when the weights are trained. On a later layer alone the gate refuses fewer
# pictures that are no scan, on an early one alone more scans of other sources.
LAYER = "block_4_depthwise_relu+block_12_add"


def scan_examples(images, *, seed=0):
    """Yield (kind, index, pixels) of images: as they are, robust, and most in one other look.

    The robust variants matter most for scans of sources that were never seen: without them twice
    as many slices of the MNI152 average are refused.
    """
    vary, settings = Robust(skull=0.6), Preprocessing()
    for i in range(len(images)):
        image = images.read(i) if hasattr(images, "read") else images[i]
        yield "as_is", i, image
        drawn = np.random.default_rng([seed + 77, i])
        yield "robust", i, vary(image, settings, drawn)[:, :, 0]
        rng = np.random.default_rng([seed, i])
        if rng.random() < 0.6:
            look = _DRAWN[int(rng.integers(len(_DRAWN)))]
            yield look, i, LOOKS[look](rng, image)


def phantom_examples(count=300, *, seed=100):
    """Yield (kind, index, pixels) of phantoms in three sizes."""
    from mri_tumor.phantoms import make_phantoms

    for k, size in enumerate((128, 224, 256)):
        drawn = make_phantoms(count, size=size, seed=seed + k)
        for i, image in enumerate(drawn.images):
            yield "phantom", k * count + i, image


def picture_examples(*, seed=0, rounds=3):
    """Yield (kind, index, pixels) of the fitting part of the pictures that are no scan."""
    for kind, name, pixels in (p for k in range(rounds) for p in pictures("fit", seed=seed + k)):
        yield kind, 0, as_grey_image(pixels, name=name)


def scramble_examples(images, *, seed=0):
    """Yield (kind, index, pixels) of images that were taken apart."""
    chosen = np.random.default_rng(seed).permutation(len(images))[:_SCRAMBLED]
    read = [images.read(int(i)) if hasattr(images, "read") else images[int(i)] for i in chosen]
    for kind, _, pixels in scrambles("fit", read, per_kind=80, seed=seed):
        yield kind, 0, pixels


def describe_examples(examples, pooled, *, settings=None, batch=32):
    """Return kinds, indices, descriptions and pooled features of examples.

    Parameters
    ----------
    examples : iterable of (str, int, ndarray of uint8)
        Kind, index and grey pixels.
    pooled : callable
        From uint8 model inputs (n, s, s, 3) to float features (n, c).
    settings : Preprocessing, optional
        The model's.
    batch : int, default=32
        How many at a time.

    Returns
    -------
    tuple of ndarray
        str (n,), int (n,), float32 (n, WIDTH) and float32 (n, c).
    """
    kinds, indices, rows, features, waiting = [], [], [], [], []
    for kind, index, pixels in examples:
        kinds.append(kind)
        indices.append(index)
        rows.append(describe(pixels))
        waiting.append(preprocess(pixels, settings)[0])
        if len(waiting) == batch:
            features.append(np.asarray(pooled(np.stack(waiting)), np.float32))
            waiting = []
    if waiting:
        features.append(np.asarray(pooled(np.stack(waiting)), np.float32))
    return np.array(kinds), np.array(indices), np.stack(rows), np.concatenate(features)


def pooled_function(model, *, layer=LAYER):
    """Return the function from model inputs to what a gate looks at in a `TumorClassifier.model_`."""
    import keras

    from mri_tumor.outputs import answering_model
    from mri_tumor.training.compiled import frozen_function

    found = answering_model(model, gate_layer=layer)
    run = frozen_function(keras.Model(found.input, found.outputs[2]))
    return lambda values: run(values)[0][:, 0]


def joined(*parts):
    """Return what `describe_examples` gave for several lists as one."""
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def fit(images, pooled, *, groups=None, settings=None, seed=0, **options):
    """Fit a gate to training images, their looks, phantoms and other pictures.

    Parameters
    ----------
    images : ImageCollection or sequence of ndarray of uint8, each of shape (h, w)
        Brain MRI slices.
    pooled : callable
        As in `describe_examples`; `pooled_function` makes it.
    groups : array_like, shape (n_images,), optional
        Group of each image, as `load_dataset` gives them.
    settings : Preprocessing, optional
        The model's.
    seed : int, default=0
        Seed of all chance.
    **options
        For `mri_tumor.gate.fit_gate`.

    Returns
    -------
    mri_tumor.gate.Gate
    """
    parts = [
        describe_examples(examples, pooled, settings=settings)
        for examples in (
            scan_examples(images, seed=seed),
            phantom_examples(min(300, max(10, len(images) // 20))),
            picture_examples(seed=seed),
            scramble_examples(images, seed=seed),
        )
    ]
    groups = np.arange(len(images)) if groups is None else np.asarray(groups)
    return fit_described(*parts[:2], joined(*parts[2:]), groups=groups, seed=seed, **options)


def fit_described(scans, phantoms, others, *, groups, seed=0, **options):
    """Fit a gate to what `describe_examples` gave for scans, phantoms and others."""
    members = [f"image {groups[i]}" for i in scans[1]] + [f"phantom {i}" for i in phantoms[1]]
    return fit_gate(
        np.concatenate([scans[2], phantoms[2]]),
        np.concatenate([scans[3], phantoms[3]]),
        other_descriptions=others[2],
        other_features=others[3],
        groups=members,
        layer=LAYER,
        seed=seed,
        **options,
    )
