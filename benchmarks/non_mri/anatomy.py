"""Other anatomy and other scanners: drawn sections to fit on, real files to hold out."""

from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from non_mri.patterns import clouds, coordinates, grey

# Modality and body are those of the file's header.
# A file stands on one side only. The heads of CT are all held out.
OPEN_DICOM = {
    "trunk_ct": ("fit", ("explicit_VR-UN.dcm", "bad_sequence.dcm")),
    "abdomen_mr": ("fit", ("examples_overlay.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm")),
    "ct": ("held_out", ("CT_small.dcm",)),
    "head_ct": ("held_out", ("693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm")),
    "radiograph": ("held_out", ("RG1_J2KR.dcm", "RG3_J2KR.dcm")),
    "other_mr": ("held_out", ("MR2_J2KR.dcm", "MR_small.dcm")),
    "nuclear": ("held_out", ("JPEG-LL.dcm", "liver.dcm")),
    "ultrasound": (
        "held_out",
        (
            "JPGLosslessP14SV1_1s_1f_8b.dcm",
            "OBXXXX1A.dcm",
            "US1_J2KR.dcm",
            "gdcm-US-ALOKA-16.dcm",
            "color-pl.dcm",
        ),
    ),
    "test_card": (
        "held_out",
        ("mlut_18.dcm", "SC_rgb_jpeg_dcmd.dcm", "image_dfl.dcm", "SC_rgb.dcm"),
    ),
}


@cache
def dicom_file(name):
    """Return the path of a test file of pydicom or pydicom-data, or None; asks no network."""
    from importlib.util import find_spec
    from pathlib import Path

    for package, folder in (("pydicom", "data/test_files"), ("data_store", "data")):
        spec = find_spec(package)
        if spec and spec.submodule_search_locations:
            path = Path(next(iter(spec.submodule_search_locations))) / folder / name
            if path.is_file():
                return path
    return None


@cache
def dicom_values(name):
    """Return the middle frame as 8 bits, between the 1st and the 99.5th percentile."""
    import warnings

    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = pydicom.dcmread(dicom_file(name)).pixel_array
    while values.ndim > 2 and values.shape[-1] not in (3, 4):
        values = values[len(values) // 2]
    if values.ndim == 3:
        values = values[..., :3].mean(axis=2)
    low, high = np.percentile(values, (1, 99.5))
    return np.clip((values - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)


def dicom(kind):
    """Return a maker of a kind's files: as they are, then turned, cropped, of other contrast."""

    def make(rng, i):
        names = [name for name in OPEN_DICOM[kind][1] if dicom_file(name)]
        picture = Image.fromarray(dicom_values(names[i % len(names)]))
        picture.thumbnail((512, 512))
        if i >= len(names):
            if rng.random() < 0.5:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            picture = picture.rotate(float(rng.uniform(-15, 15)))
            gamma = rng.uniform(0.6, 1.6)
            picture = picture.point([round(255 * (v / 255) ** gamma) for v in range(256)])
        if i >= 2 * len(names):
            share = rng.uniform(0.6, 0.9)
            wide, high = (round(side * share) for side in picture.size)
            left = int(rng.integers(0, picture.width - wide + 1))
            top = int(rng.integers(0, picture.height - high + 1))
            picture = picture.crop((left, top, left + wide, top + high))
        return np.asarray(picture)

    return make


def _oval(y, x, cy, cx, ry, rx):
    return np.hypot((y - cy) / ry, (x - cx) / rx)


def _finish(rng, values, blur, noise):
    texture = clouds(rng, values.shape, 1.2)
    values = values + noise * texture / texture.std() * (values > 0.03)
    values = values + rng.normal(0, 0.01, values.shape)
    picture = Image.fromarray(grey(np.clip(values, 0, 1)))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(blur)))


def torso(rng, i):
    """Draw a section through a trunk: wall, spine, organs or lungs; CT- or MR-like levels."""
    y, x = coordinates((256, 320 if i % 2 else 256))
    ry, rx = rng.uniform(0.5, 0.75), rng.uniform(0.8, 0.97)
    body = _oval(y, x, 0, 0, ry, rx)
    values = np.where(body < 1, rng.uniform(0.2, 0.9), 0.0)
    values[body < rng.uniform(0.85, 0.95)] = rng.uniform(0.3, 0.6)
    lungs = i % 3 == 0
    for side in (-1, 1):
        if lungs:
            values[_oval(y, x, -0.05, side * 0.42, ry * 0.62, 0.3) < 1] = 0.05
        else:
            values[_oval(y, x, 0.2, side * 0.4, 0.16, 0.11) < 1] = rng.uniform(0.5, 1)
    if not lungs:
        values[_oval(y, x, -0.1, -0.45, 0.35, 0.35) < 1] = rng.uniform(0.35, 0.8)
        for _ in range(int(rng.integers(3, 9))):
            cy, cx = rng.uniform(-0.35, 0.1), rng.uniform(-0.2, 0.6)
            values[_oval(y, x, cy, cx, *rng.uniform(0.04, 0.15, 2)) < 1] = rng.uniform(0, 1)
    else:
        values[_oval(y, x, -0.1, 0.1, 0.3, 0.22) < 1] = rng.uniform(0.5, 0.9)
    spine = _oval(y, x, ry * 0.55, 0, 0.14, 0.13)
    values[spine < 1] = rng.uniform(0.6, 1)
    values[_oval(y, x, ry * 0.8, 0, 0.05, 0.06) < 1] = 0.1
    if i % 4 == 1:  # the table of a CT scanner
        values[np.abs(y - ry - 0.12 - 0.1 * x**2) < 0.015] = 0.5
    return _finish(rng, values, rng.uniform(0.5, 1.5), 0.06)


def limbs(rng, i):
    """Sections of one or two limbs with their bones."""
    y, x = coordinates((256, 256))
    values = np.zeros_like(y)
    pairs = ((0.0, -0.48, 0.42), (0.0, 0.48, 0.42)) if i % 2 else ((0.0, 0.0, 0.85),)
    for cy, cx, radius in pairs:
        values[_oval(y, x, cy, cx, radius, radius * 0.9) < 1] = rng.uniform(0.6, 0.9)
        values[_oval(y, x, cy, cx, radius * 0.85, radius * 0.77) < 1] = rng.uniform(0.3, 0.5)
        for k in range(1 + i % 3 // 2):
            by, bx = cy + radius * (0.1 - 0.4 * k), cx + radius * (0.1 + 0.3 * k)
            bone = _oval(y, x, by, bx, radius * 0.3, radius * 0.3)
            values[bone < 1] = (0.05, 1.0)[i % 2]
            values[bone < 0.65] = rng.uniform(0.5, 0.95)
        for _ in range(8):
            turn, far = rng.uniform(0, 6.3), radius * rng.uniform(0.4, 0.75)
            vy, vx = cy + far * np.sin(turn), cx + far * np.cos(turn)
            values[_oval(y, x, vy, vx, radius * 0.06, radius * 0.05) < 1] = rng.uniform(0, 1)
    return _finish(rng, values, rng.uniform(0.5, 1.5), 0.05)


def bones(rng, i):
    """Draw a projection of long bones or of a rib cage."""
    y, x = coordinates((320, 256))
    values = np.full_like(y, 0.1)
    if i % 2:
        values += 0.35 * np.clip(1 - np.abs(x) / 0.95, 0, 1)
        for side in (-1, 1):
            values -= 0.3 * (_oval(y, x, -0.05, side * 0.42, 0.75, 0.32) < 1)
            for k in range(9):
                rib = y + 0.75 - 0.17 * k - 0.25 * (side * x - 0.4) ** 2
                values += 0.15 * np.exp(-((rib / 0.025) ** 2)) * (side * x > 0.05)
        values += 0.4 * np.exp(-((x / 0.09) ** 2)) + 0.3 * (y > 0.72 - 0.2 * np.cos(3 * x))
    else:
        n = int(rng.integers(1, 5))
        for cx in np.linspace(-0.6, 0.6, n) if n > 1 else (0.0,):
            wide = rng.uniform(0.06, 0.14) * (1 + 0.5 * y**4)
            values += 0.3 * (np.abs(x - cx) < 2.2 * wide) + 0.5 * np.clip(
                1 - ((x - cx) / wide) ** 2, 0, 1
            ) * (np.abs(y) < 0.95)
    values = np.clip(values, 0, 1)
    return _finish(rng, 1 - values if i % 5 == 4 else values, 1.0, 0.05)


def fan(rng, i):
    """Draw the fan of an ultrasound probe, with speckle and an edge of text-like ticks."""
    y, x = coordinates((300, 360))
    far, angle = np.hypot(y + 1.05, x), np.arctan2(x, y + 1.05)
    inside = (
        (far > 0.25) & (far < rng.uniform(1.5, 1.95)) & (np.abs(angle) < rng.uniform(0.5, 0.9))
    )
    tissue = clouds(rng, y.shape, 1.3)
    level = np.clip(0.4 + 0.25 * tissue / tissue.std(), 0.02, 1)
    for _ in range(int(rng.integers(0, 4))):
        level[_oval(y, x, *rng.uniform(-0.4, 0.5, 2), *rng.uniform(0.08, 0.25, 2)) < 1] = 0.03
    values = np.where(inside, level * rng.rayleigh(0.8, y.shape), 0)
    if i % 2:
        values[20:280:20, -12:-4] = 0.9
    picture = Image.fromarray(grey(np.clip(values, 0, 1.2)))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)))


def shepp_logan(rng, i):
    """Show the Shepp-Logan phantom of scikit-image: ellipses of a few levels, no scan."""
    from non_mri.photos import load

    picture = Image.fromarray(load("skimage/phantom.png"))
    side = int(rng.choice((200, 256, 400)))
    picture = picture.resize((side, side)).rotate(float(rng.uniform(-15, 15)) if i else 0)
    return np.asarray(picture)
