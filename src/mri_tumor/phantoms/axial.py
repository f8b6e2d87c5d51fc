"""Axial slices: through the skull's base, the ventricles, or above them. The face is up."""

import numpy as np

from mri_tumor.phantoms import anatomy
from mri_tumor.phantoms.canvas import Canvas
from mri_tumor.phantoms.curves import mirrored
from mri_tumor.phantoms.fields import Field, both, edge

_HEAD = [(0.0, -0.97), (0.36, -0.88), (0.60, -0.60), (0.71, -0.15), (0.75, 0.25), (0.64, 0.66)]
_HEAD += [(0.36, 0.90), (0.0, 0.97)]


def above(c: Canvas, thickness: float, atrophy: float) -> None:
    """Draw a slice at the roof of the ventricles or above it."""
    inside = anatomy.skull(c, _head(c), thickness)
    roof = bool(c.rng.random() < 0.65)
    fissure = _midline(c, -0.36, 0.38) if roof else _midline(c, 0.0, 0.0)
    anatomy.cortex(c, inside, fissure=fissure, atrophy=1.2 * atrophy, strength=1.15)
    c.depth, c.falx = inside, fissure
    if roof:
        w = c.rng.uniform(0.6, 1.0) * (0.6 + 0.4 * atrophy)
        body = [(0.045, -0.24), (0.045 + 0.07 * w, -0.33), (0.05 + 0.1 * w, -0.18)]
        body += [(0.06 + 0.12 * w, 0.08), (0.10 + 0.15 * w, 0.32), (0.08 + 0.08 * w, 0.33)]
        body += [(0.055 + 0.02 * w, 0.05)]
        c.shape("csf", *c.pair(body))
        c.stroke("choroid", 0.025, *c.pair([(0.10, 0.1), (0.13, 0.25)]), strength=0.8)
        anatomy.spots(c, [(0.3, 0.0), (-0.3, 0.0)])
    c.stroke("dura", 0.008, [(0, -0.8), (0, -0.5)], [(0, 0.5), (0, 0.82)])
    _veins(c, front=True)


def ventricles(c: Canvas, thickness: float, atrophy: float) -> None:
    """Draw a slice through the lateral ventricles and the deep grey matter."""
    inside = anatomy.skull(c, _head(c), thickness)
    fissure = _midline(c, -0.44, 0.38)
    anatomy.cortex(c, inside, fissure=fissure, atrophy=atrophy)
    c.depth, c.falx, c.clip = inside, fissure, c.brain
    w = c.rng.uniform(0.7, 1.25) * (0.55 + 0.45 * atrophy)
    # Insula: a fold of cortex at the bottom of the Sylvian fissure.
    clefts = c.pair([(0.66, -0.24), (0.54, -0.17), (0.45, -0.14), (0.42, 0.0), (0.44, 0.14)])
    c.stroke("grey", 0.10, *clefts)
    c.stroke("csf", 0.026 * atrophy, *clefts)
    lens = [(0.24, -0.16), (0.33, -0.10), (0.36, 0.03), (0.30, 0.12), (0.22, 0.02)]
    heads = [c.oval((side * 0.17, -0.23), (0.06, 0.11), turn=-0.35 * side) for side in (1, -1)]
    thalami = [c.oval((side * 0.12, 0.08), (0.10, 0.14), turn=0.35 * side) for side in (1, -1)]
    c.shape("deep", *c.pair(lens), *heads, *thalami)
    horn = [(0.03, -0.14), (0.025, -0.30), (0.06 + 0.05 * w, -0.42)]
    horn += [(0.11 + 0.07 * w, -0.40), (0.06 + 0.06 * w, -0.26)]
    atrium = [(0.21, 0.17), (0.24 + 0.04 * w, 0.24), (0.27 + 0.06 * w, 0.38)]
    atrium += [(0.27 + 0.03 * w, 0.55), (0.25, 0.46), (0.22, 0.30)]
    cistern = [(-0.05, 0.24), (0, 0.2), (0.05, 0.24), (0, 0.3)]
    c.shape("csf", *c.pair(horn), *c.pair(atrium), cistern)
    c.stroke("csf", 0.018 + 0.014 * w, [(0, -0.1), (0, 0.13)])
    c.stroke("choroid", 0.035, *c.pair([(0.235, 0.23), (0.265, 0.33)]), [(0, 0.23), (0, 0.24)])
    anatomy.spots(c, [(0.2, -0.45), (-0.2, -0.45), (0.34, 0.4), (-0.34, 0.4)])
    anatomy.vessels(c, [(0.48, -0.12), (-0.48, -0.12), (0.0, 0.3), (0.0, -0.5)])
    _veins(c, front=True)


def base(c: Canvas, thickness: float, atrophy: float) -> None:
    """Draw a slice through the eyes, the sella and the cerebellum."""
    head = _head(c)
    anatomy.ears(c, (0.73, 0.12), 0.14)
    inside = anatomy.skull(c, head, thickness)
    # Ahead of the temporal lobes lie the orbits and the nose, not the brain.
    lobes: Field = (np.abs(c.x) - np.float32(0.37)) * np.float32(1 / 0.19)
    front: Field = c.y + np.float32(0.25) + np.float32(0.17) * np.exp(-lobes * lobes)
    c.blend(anatomy.soft_tissue(c), edge(-front, 0.07) * c.brain)
    inside = both(inside, front, 0.08)
    c.brain = edge(inside, c.pixel)
    anatomy.cortex(c, inside, atrophy=atrophy, strength=0.8)
    fossa = [(0.0, 0.12), (0.22, 0.16), (0.42, 0.28), (0.56, 0.44), (0.45, 0.72), (0.2, 0.81)]
    hind = c.contour(c.jitter(mirrored([*fossa, (0.0, 0.80)]), 0.01), (0.0, 0.45))
    hind = np.minimum(hind, inside)
    anatomy.cerebellum(c, hind, (0.0, 0.18))
    c.depth = np.minimum(inside, -hind)
    _orbits(c, bone=thickness > 1)
    star = [(0.0, -0.24), (0.12, -0.16), (0.20, -0.06), (0.16, 0.06), (0.19, 0.18), (0.0, 0.24)]
    c.shape("csf", c.jitter(mirrored(star)))
    c.shape("white", c.oval((0, 0.10), (0.15, 0.135)))
    c.shape("deep", c.oval((0, 0.06), (0.10, 0.07)), strength=0.6)
    c.shape("csf", [(-0.06, 0.25), (0.0, 0.22), (0.06, 0.25), (0.0, 0.33)])
    c.shape("gland", c.oval((0, -0.155), (0.045, 0.035)))
    carotids = [c.oval((side * 0.095, -0.16), (0.028, 0.03)) for side in (1, -1)]
    c.shape("vessel", *carotids, c.oval((0.0, -0.055), (0.014, 0.014)))
    c.sella = (0.0, -0.15)
    anatomy.vessels(c, [(0.3, -0.18), (-0.3, -0.18), (0.4, 0.3), (-0.4, 0.3)])
    _veins(c, front=False)


def _orbits(c: Canvas, *, bone: bool) -> None:
    """Draw eyes, nose, the bone behind it and, where cut, the bone that holds the ears."""
    orbit = [(0.10, -0.40), (0.16, -0.72), (0.36, -0.80), (0.50, -0.62), (0.34, -0.42)]
    c.shape("fat", *c.pair(orbit))
    apart = float(c.rng.uniform(0.28, 0.34))
    anatomy.eyes(c, *(((side * apart, -0.66), (side * 0.15, -0.98)) for side in (1, -1)))
    c.stroke("muscle", 0.03, *c.pair([(0.16, -0.44), (0.42, -0.72)]))
    if bone:
        petrous = [(0.12, 0.05), (0.36, 0.16), (0.60, 0.22), (0.56, 0.30), (0.34, 0.25)]
        c.shape("bone", *c.pair(petrous))
    # Between the orbits: cells of air lined with mucosa.
    c.shape("mucosa", [(0.10, -0.85), (0.11, -0.42), (-0.11, -0.42), (-0.10, -0.85)])
    cells = c.rng.uniform((-0.07, -0.8), (0.07, -0.45), (7, 2)).tolist()
    c.shape("air", *(c.oval((x, y), (0.035, 0.06)) for x, y in cells))
    clivus = [(0.0, -0.40), (0.13, -0.30), (0.10, -0.20), (-0.10, -0.20), (-0.13, -0.30)]
    c.shape("marrow", c.jitter(clivus))


def _head(c: Canvas) -> Field:
    """Return the distance to the skin."""
    rng = c.rng
    points = np.asarray(mirrored(_HEAD))
    # Long and round heads, broad and narrow foreheads.
    points[:, 0] *= rng.uniform(0.94, 1.08) * (1 + rng.uniform(-0.06, 0.08) * points[:, 1])
    return c.contour(points + 0.008 * rng.standard_normal(points.shape), (0.0, 0.0))


def _midline(c: Canvas, front: float, back: float) -> Field:
    """Return the distance to a fissure along x = 0 that is open ahead of and behind points."""
    gap = np.maximum(np.minimum(c.y - np.float32(front), np.float32(back) - c.y), 0)
    bend = c.x + np.float32(0.012) * c.noise(10)
    return np.asarray(np.sqrt(bend * bend + gap * gap), np.float32)


def _veins(c: Canvas, *, front: bool) -> None:
    """Draw the large veins at the ends of the midline."""
    c.clip = None
    inner = 0.97 - anatomy.SKULL
    veins = [((0.0, inner - 0.02), float(c.rng.uniform(0.02, 0.045)))]
    if front:
        veins.append(((0.0, -inner + 0.01), float(c.rng.uniform(0.012, 0.022))))
    anatomy.sinuses(c, *veins)
