"""Any picture in the outline of a head, on black."""

import numpy as np

from non_mri.patterns import coordinates


def in_outline(rng, pixels):
    """Blacken a picture outside of a wavy oval of random size, place and sharpness."""
    y, x = coordinates(pixels.shape[:2])
    y, x = y - rng.uniform(-0.1, 0.1), x - rng.uniform(-0.1, 0.1)
    angle = np.arctan2(y, x)
    wave = sum(
        rng.normal(0, 0.05 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(1, 6)
    )
    radius = np.hypot(y / rng.uniform(0.55, 0.95), x / rng.uniform(0.5, 0.95)) / (1 + wave)
    fade = np.clip((1 - radius) / rng.uniform(0.01, 0.15), 0, 1)
    if rng.random() < 0.3:  # a bright rim, as scalp has it
        fade = fade * np.where(np.abs(radius - 0.93) < rng.uniform(0.02, 0.06), 1.6, 0.8)
    whole = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    return np.clip(whole * fade, 0, 255).astype(np.uint8)
