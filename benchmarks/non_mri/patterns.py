"""Pictures made from numbers: blank ones, noise, geometry and fractals."""

import numpy as np
from PIL import Image, ImageDraw

SIDES = (128, 224, 256, 300, 384, 512)


def shape(rng):
    """Draw a size, square in half of the cases."""
    height, width = rng.choice(SIDES, 2)
    return (int(height), int(height)) if rng.random() < 0.5 else (int(height), int(width))


def grey(values, low=0, high=255):
    """Stretch any values to uint8 between two levels."""
    span = values.max() - values.min()
    unit = (values - values.min()) / (span if span > 0 else 1)
    return np.rint(low + unit * (high - low)).astype(np.uint8)


def resized(values, size, *, smooth=True):
    """Resample a uint8 picture to (height, width)."""
    method = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(values).resize((size[1], size[0]), method))


def coordinates(size):
    """Return y and x of every pixel, in [-1, 1]."""
    return np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]), indexing="ij")


def clouds(rng, size, power):
    """Noise whose spectrum falls as a power of the frequency."""
    fy, fx = np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None]
    radius = np.hypot(fy, fx)
    radius[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=size)) / radius**power
    spectrum[0, 0] = 0
    return np.fft.ifft2(spectrum).real


def black(rng, i):
    values = np.zeros(shape(rng), np.uint8)
    if i % 3 == 1:
        values = rng.integers(0, 3, values.shape, dtype=np.uint8)
    if i % 3 == 2:
        values.flat[rng.integers(0, values.size, 12)] = 255
    return values


def flat(rng, i):
    values = np.full(shape(rng), 16 + 14 * (i % 16), np.int16)
    return np.clip(values + rng.integers(0, 1 + i % 4, values.shape), 0, 255).astype(np.uint8)


def white(rng, i):
    values = np.full(shape(rng), 255 - i % 4, np.uint8)
    if i % 2:
        values[: values.shape[0] // (4 + i)] -= 5
    return values


def two_tone(rng, i):
    values = np.full(shape(rng), rng.integers(0, 90), np.uint8)
    cut = int(values.shape[i % 2] * rng.uniform(0.2, 0.8))
    values[(slice(cut, None), slice(None)) if i % 2 == 0 else (slice(None), slice(cut, None))] = (
        rng.integers(150, 256)
    )
    return values


def gaussian_noise(rng, i):
    size, factor = shape(rng), (1, 1, 2, 4, 8)[i % 5]
    small = rng.normal(128, rng.uniform(15, 70), (size[0] // factor, size[1] // factor))
    return resized(np.clip(small, 0, 255).astype(np.uint8), size, smooth=bool(i % 2))


def salt_pepper(rng, i):
    values = np.full(shape(rng), (0, 128, 255)[i % 3], np.uint8)
    draw = rng.random(values.shape)
    share = rng.uniform(0.02, 0.3)
    values[draw < share] = 255
    values[draw > 1 - share] = 0
    return values


def uniform_noise(rng, i):
    size = shape(rng)
    if i % 2:
        return rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    return rng.integers(0, rng.integers(60, 256), size, dtype=np.uint8)


def speckle(rng, i):
    size = shape(rng)
    if i % 2:
        return np.clip(rng.poisson(rng.uniform(2, 40), size) * 5, 0, 255).astype(np.uint8)
    # Rayleigh: the background of a magnitude image, without any head in it.
    return np.clip(rng.rayleigh(rng.uniform(10, 60), size), 0, 255).astype(np.uint8)


def soft_clouds(rng, i):
    return grey(clouds(rng, shape(rng), (0.8, 1.2, 1.6, 2.0, 2.4)[i % 5]))


def marble(rng, _):
    size = shape(rng)
    y, x = coordinates(size)
    angle = rng.uniform(0, np.pi)
    warp = clouds(rng, size, 1.8)
    phase = (np.cos(angle) * x + np.sin(angle) * y) * rng.uniform(6, 25)
    return grey(np.sin(phase + rng.uniform(1, 4) * warp / warp.std()))


def checkerboard(rng, _):
    size = shape(rng)
    step = int(rng.integers(4, 64))
    y, x = np.indices(size) // step
    low, high = sorted(rng.choice(256, 2, replace=False))
    return np.where((y + x) % 2, high, low).astype(np.uint8)


def stripes(rng, i):
    size = shape(rng)
    y, x = coordinates(size)
    angle = rng.uniform(0, np.pi)
    wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * rng.uniform(8, 120))
    return grey(np.sign(wave) if i % 2 else wave)


def gradient(rng, i):
    y, x = coordinates(shape(rng))
    if i % 3 == 0:
        return grey(np.hypot(y - rng.uniform(-1, 1), x - rng.uniform(-1, 1)))
    if i % 3 == 1:
        return grey(-(np.hypot(y, x) ** rng.uniform(0.5, 2)))
    angle = rng.uniform(0, 2 * np.pi)
    return grey(np.cos(angle) * x + np.sin(angle) * y)


def rings(rng, i):
    y, x = coordinates(shape(rng))
    radius = np.hypot(y - rng.uniform(-0.5, 0.5), (x - rng.uniform(-0.5, 0.5)) * rng.uniform(1, 2))
    wave = np.sin(radius ** (1 + i % 2) * rng.uniform(15, 150))
    return grey(np.sign(wave) if i % 3 == 0 else wave)


def halftone(rng, _):
    y, x = coordinates(shape(rng))
    step, level = rng.uniform(20, 80), rng.uniform(-1, 1)
    return grey((np.sin(y * step) * np.sin(x * step) > level).astype(float))


def voronoi(rng, i):
    size = shape(rng)
    y, x = coordinates(size)
    points = rng.uniform(-1, 1, (int(rng.integers(8, 60)), 2))
    far = (y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2
    if i % 2:
        return grey(np.sqrt(far.min(axis=2)))
    return rng.integers(0, 256, len(points)).astype(np.uint8)[far.argmin(axis=2)]


def fractal(rng, i):
    y, x = coordinates((192, 192))
    z = (x * 1.5 - 0.5 * (i % 2)) + 1j * y * 1.3
    c = z if i % 2 else complex(rng.uniform(-0.9, 0.3), rng.uniform(0.2, 0.8))
    steps = np.zeros(z.shape)
    for _ in range(60):
        inside = np.abs(z) < 4
        steps += inside
        z = np.where(inside, z**2 + c, z)
    return resized(grey(np.sqrt(steps)), shape(rng))


def ellipses(rng, i):
    return _figures(rng, i, "ellipse")


def polygons(rng, i):
    return _figures(rng, i, "polygon")


def _figures(rng, i, figure):
    size = shape(rng)
    picture = Image.new("L", size[::-1], (0, 0, 255, 60)[i % 4])
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(1, 25))):
        y, x = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        level, high, wide = int(rng.integers(0, 256)), *rng.uniform(8, size[0] / 2.5, 2)
        if figure == "ellipse":
            draw.ellipse((x - wide, y - high, x + wide, y + high), fill=level)
        else:
            corners = rng.uniform(-1, 1, (int(rng.integers(3, 7)), 2)) * high + (x, y)
            draw.polygon([tuple(map(float, corner)) for corner in corners], fill=level)
    return np.asarray(picture)


def ball(rng, i):
    """Draw a lit ball or a soft disc on black: compact and smooth, but nothing is in it."""
    size = shape(rng)
    y, x = coordinates(size)
    radius = np.hypot(y / rng.uniform(0.5, 0.95), x / rng.uniform(0.5, 0.95))
    depth = np.sqrt(np.clip(1 - radius**2, 0, None))
    light = depth + rng.uniform(-0.6, 0.6) * x + rng.uniform(-0.6, 0.6) * y
    if i % 3 == 0:
        light = 0.6 + 0 * depth
    if i % 3 == 1:
        noise = clouds(rng, size, 1.0)
        light = 0.5 + 0.15 * noise / noise.std()
    return grey(np.clip(np.where(radius < 1, light, 0), 0, 1.5))


def static_disc(rng, _):
    """White noise in the outline of a head, on black."""
    size = shape(rng)
    y, x = coordinates(size)
    inside = np.hypot(y / rng.uniform(0.7, 0.95), x / rng.uniform(0.6, 0.9)) < 1
    noise = rng.normal(rng.uniform(90, 150), rng.uniform(25, 60), size)
    return np.where(inside, np.clip(noise, 0, 255), 0).astype(np.uint8)
