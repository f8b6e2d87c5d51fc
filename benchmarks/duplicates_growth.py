"""Measure how the search for near-duplicates grows with the number of images.

    python benchmarks/duplicates_growth.py --sizes 1000 3000 10000 30000 100000 --json growth.json

The images are perturbed phantoms (synthetic; no scan): two slices blended, warped, with another
gamma and noise. In ten of them three are copies of an earlier one, turned or mirrored, with
another gamma and noise, so that it can be counted how many copies the search finds. Timed is
what `load_dataset` and `audit_dataset` do once the files are read: hashes of the eight
orientations, and groups. All pairs are timed on 2,000 images and scaled by the square. Seconds are
the processor's, on one thread, so that other work on the machine counts little.

Prints a table; ``--json`` writes the numbers. Research software, not a medical device.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
from PIL import Image

from mri_tumor.data import fingerprint_image, group_duplicates, perceptual_hashes
from mri_tumor.phantoms import make_phantoms

SIDE = 64
COPIES = 0.3


def perturbed(base, rng):
    """Draw one image that is like no other."""
    first, second = base[rng.integers(len(base), size=2)]
    weight = rng.uniform(0.3, 1)
    blend = Image.fromarray((weight * first + (1 - weight) * second).astype(np.uint8))
    angle, scale = rng.uniform(-0.3, 0.3), rng.uniform(0.8, 1.2)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    shift = rng.uniform(-6, 6, 2)
    centre = SIDE / 2
    moved = [
        *(cos, sin, centre - centre * (cos + sin) + shift[0]),
        *(-sin, cos, centre - centre * (cos - sin) + shift[1]),
    ]
    warped = blend.transform(
        (SIDE, SIDE), Image.Transform.AFFINE, moved, Image.Resampling.BILINEAR
    )
    return altered(np.asarray(warped), rng, gamma=rng.uniform(0.6, 1.6), noise=4)


def altered(image, rng, *, gamma, noise):
    """Change the brightness and add noise."""
    values = 255 * (image / 255.0) ** gamma + rng.normal(0, noise, image.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


def draw(n, seed):
    """Draw fingerprints of `n` images; gives them, and the original of each copy (or -1)."""
    rng = np.random.default_rng(seed)
    base = make_phantoms(300, size=SIDE, seed=seed).images
    coefficients = np.empty((n, 16, 16), dtype=np.float32)
    pixels, original = [], np.full(n, -1)
    kept = []  # images that copies are made of
    for i in range(n):
        if kept and rng.random() < COPIES:
            original[i], source = kept[rng.integers(len(kept))]
            turned = np.rot90(source, rng.integers(4))
            turned = turned[:, ::-1] if rng.random() < 0.5 else turned
            image = altered(turned, rng, gamma=rng.uniform(0.95, 1.05), noise=0.5)
        else:
            image = perturbed(base, rng)
            kept = [*kept[-499:], (i, image)]
        one = fingerprint_image(np.ascontiguousarray(image))
        coefficients[i] = one.coefficients
        pixels.append(one.pixels)
    return coefficients, pixels, original


def all_pairs_seconds(hashes, n):
    """Time the comparison of each image with each other one, and scale it to `n` images."""
    some = hashes[:2000].view(np.uint64)
    start = time.process_time()
    for row in some[:, 0]:
        np.bitwise_count(some ^ row).sum(axis=2, dtype=np.uint16).min(axis=1)
    return (time.process_time() - start) * (n / len(some)) ** 2


def measure(coefficients, pixels, original):
    n = len(pixels)
    start = time.process_time()
    hashes = perceptual_hashes(coefficients)
    hashed = time.process_time()
    groups = group_duplicates(pixels, hashes)
    grouped = time.process_time()
    copies = original >= 0
    return {
        "n_images": n,
        "hash_seconds": round(hashed - start, 4),
        "group_seconds": round(grouped - hashed, 4),
        "all_pairs_seconds_estimated": round(all_pairs_seconds(hashes, n), 1),
        "n_groups": int(groups.max()) + 1,
        "largest_group": int(np.bincount(groups).max()),
        "copies": int(copies.sum()),
        "copies_found": int((groups[copies] == groups[original[copies]]).sum()),
    }


def table(rows):
    yield "  images   hashes s   groups s   all pairs s (est.)   growth   copies found   largest"
    for before, row in zip([None, *rows], rows, strict=False):
        growth = "-"
        if before:
            ratio = np.log(row["group_seconds"] / before["group_seconds"])
            growth = f"n^{ratio / np.log(row['n_images'] / before['n_images']):.2f}"
        yield (
            f"{row['n_images']:8,}   {row['hash_seconds']:8.2f}   {row['group_seconds']:8.2f}   "
            f"{row['all_pairs_seconds_estimated']:18,.1f}   {growth:>6}   "
            f"{row['copies_found']:6,}/{row['copies']:<6,}   {row['largest_group']:7,}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 3000, 10000, 30000, 100000])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    coefficients, pixels, original = draw(max(options.sizes), options.seed)
    # Warm up, so that the first size does not pay for what is made once.
    measure(coefficients[:500], pixels[:500], original[:500])
    rows = [measure(coefficients[:n], pixels[:n], original[:n]) for n in sorted(options.sizes)]
    print("\n".join(table(rows)))
    if options.json:
        about = {"python": platform.python_version(), "numpy": np.__version__}
        about |= {"processors": os.cpu_count(), "machine": platform.machine()}
        options.json.write_text(json.dumps({"rows": rows, **about}, indent=2) + "\n")


if __name__ == "__main__":
    main()
