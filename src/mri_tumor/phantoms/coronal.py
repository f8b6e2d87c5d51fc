"""Coronal slices: through the sella, or behind it through the cerebellum. The crown is up."""

import numpy as np

from mri_tumor.phantoms import anatomy
from mri_tumor.phantoms.canvas import Canvas
from mri_tumor.phantoms.curves import Points, mirrored
from mri_tumor.phantoms.fields import Field, both, edge

_CRANIUM = [(0.0, -0.95), (0.34, -0.88), (0.60, -0.62), (0.71, -0.22), (0.68, 0.10)]


def front(c: Canvas, thickness: float, atrophy: float) -> None:
    """Draw a slice through the front horns, the temporal lobes and the sella."""
    rng = c.rng
    wide = float(rng.uniform(0.95, 1.06))
    anatomy.ears(c, (0.68, 0.16), 0.12)
    filling = _neck(c, jaw=wide * float(rng.uniform(0.54, 0.62)))
    head = _head(c, [(0.58, 0.36), (0.30, 0.42), (0.0, 0.33)], wide)
    inside = anatomy.skull(c, head, thickness)
    # The floor rises in the middle, between the temporal lobes.
    lateral = np.clip(np.abs(c.x) - np.float32(0.12), 0, 0.16)
    floor = np.float32(0.10) + np.float32(0.9) * lateral - c.y
    inside = both(inside, floor, 0.06)
    c.blend(filling, edge(-floor, c.pixel) * c.brain)
    c.brain = edge(inside, c.pixel)
    fissure = _fissure(c, -0.36)
    anatomy.cortex(c, inside, fissure=fissure, atrophy=atrophy)
    c.depth, c.falx, c.clip = inside, fissure, c.brain
    w = rng.uniform(0.7, 1.3) * (0.55 + 0.45 * atrophy)
    clefts = c.pair([(0.62, -0.10), (0.50, -0.06), (0.38, -0.10), (0.36, -0.20)])
    c.stroke("grey", 0.10, *clefts)
    c.stroke("csf", 0.03 * atrophy, *clefts)
    nuclei = [c.oval((side * 0.17, -0.21), (0.06, 0.08), turn=0.4 * side) for side in (1, -1)]
    nuclei += [c.oval((side * 0.25, -0.06), (0.07, 0.10), turn=-0.2 * side) for side in (1, -1)]
    c.shape("deep", *nuclei)
    horn = [(0.02, -0.29), (0.08, -0.31), (0.09 + 0.08 * w, -0.32)]
    horn += [(0.08 + 0.05 * w, -0.23), (0.025, -0.15)]
    c.shape("csf", *c.pair(horn))
    c.clip = None
    c.stroke("csf", 0.015 + 0.012 * w, [(0, -0.14), (0, 0.0)])
    c.shape("csf", [(-0.15, 0.03), (0.0, 0.0), (0.15, 0.03), (0.10, 0.13), (-0.10, 0.13)])
    c.stroke("white", 0.022, [(-0.10, 0.05), (0.0, 0.035), (0.10, 0.05)])  # optic chiasm
    c.shape("gland", c.oval((0, 0.13), (0.075, 0.035)))
    carotids = [c.oval((side * 0.115, 0.13), (0.032, 0.032)) for side in (1, -1)]
    carotids += [c.oval((side * 0.12, 0.06), (0.02, 0.02)) for side in (1, -1)]
    c.shape("vessel", *carotids)
    _face(c)
    c.sella = (0.0, 0.12)
    _midline(c, [(0.45, -0.1), (-0.45, -0.1), (0.0, -0.5)])


def back(c: Canvas, thickness: float, atrophy: float) -> None:
    """Draw a slice behind the brain stem, through the cerebellum and the atria."""
    rng = c.rng
    wide = float(rng.uniform(0.95, 1.06))
    anatomy.ears(c, (0.68, 0.16), 0.12)
    _neck(c, jaw=wide * float(rng.uniform(0.44, 0.54)))
    head = _head(c, [(0.60, 0.36), (0.36, 0.58), (0.0, 0.64)], wide)
    inside = anatomy.skull(c, head, thickness)
    fissure = _fissure(c, -0.24)
    anatomy.cortex(c, inside, fissure=fissure, atrophy=atrophy)
    c.falx = fissure
    w = rng.uniform(0.7, 1.3) * (0.55 + 0.45 * atrophy)
    atrium = [(0.13, -0.20), (0.20 + 0.04 * w, -0.24), (0.24 + 0.05 * w, -0.12)]
    atrium += [(0.24 + 0.03 * w, 0.0), (0.20, -0.06)]
    c.shape("csf", *c.pair(atrium))
    c.stroke("choroid", 0.035, *c.pair([(0.21, -0.15), (0.235, -0.06)]))
    fossa = [(0.0, 0.06), (0.22, 0.13), (0.48, 0.22), (0.46, 0.38), (0.22, 0.49), (0.0, 0.46)]
    hind = c.contour(c.jitter(mirrored(fossa), 0.008), (0.0, 0.25))
    hind = np.minimum(hind, inside)
    anatomy.cerebellum(c, hind, (0.0, 0.30))
    c.depth = np.minimum(inside, -hind)
    c.stroke("dura", 0.014, *c.pair([(0.03, 0.05), (0.22, 0.11), (0.5, 0.2)]))
    anatomy.sinuses(c, *(((s * 0.53, 0.21), float(rng.uniform(0.02, 0.035))) for s in (1, -1)))
    c.shape("deep", c.oval((0, 0.40), (0.05, 0.08)))
    c.shape("csf", c.oval((0, 0.24), (0.03, 0.025)))
    _midline(c, [(0.4, 0.05), (-0.4, 0.05), (0.0, 0.0)])


def _head(c: Canvas, lower: Points, wide: float) -> Field:
    """Return the distance to the skin of the cranium."""
    points = np.asarray(mirrored([*_CRANIUM, *lower])) * (wide, 1)
    return c.contour(points + 0.008 * c.rng.standard_normal(points.shape), (0.0, -0.15))


def _neck(c: Canvas, *, jaw: float) -> Field:
    """Paint cheeks or neck below the cranium and return what they are filled with."""
    # Narrowest somewhat below the jaw, wider again towards the shoulders.
    narrow = np.float32(0.9) - np.abs(c.y - np.float32(0.95))
    width = np.float32(jaw) + np.float32(0.22) * np.maximum(np.float32(0.55) - narrow, 0)
    side = width + np.float32(0.02) * c.noise(6) - np.abs(c.x)
    below = np.minimum(side, c.y - np.float32(0.15))
    filling = anatomy.soft_tissue(c, even=True)
    alpha = edge(below, c.pixel)
    c.blend(filling, alpha)
    c.blend(c.tissues["fat"], alpha * edge(np.float32(0.05) - below, 0.02))
    return filling


def _face(c: Canvas) -> None:
    """Draw the sphenoid sinus, nose, cheeks with their sinuses, chewing muscles and tongue."""
    sphenoid = mirrored([(0.0, 0.19), (0.17, 0.21), (0.14, 0.33), (0.0, 0.36)])
    nose = [(-0.10, 0.45), (0.10, 0.45), (0.12, 0.75), (-0.12, 0.75)]
    cheek = [(0.16, 0.46), (0.32, 0.44), (0.34, 0.60), (0.22, 0.70)]
    c.shape("mucosa", c.jitter(sphenoid), nose, *c.pair(cheek))
    sphenoid = mirrored([(0.0, 0.21), (0.14, 0.23), (0.11, 0.31), (0.0, 0.33)])
    cheek = [(0.18, 0.48), (0.30, 0.46), (0.31, 0.59), (0.22, 0.67)]
    passages = [c.oval((side * 0.05, 0.60), (0.03, 0.12)) for side in (1, -1)]
    c.shape("air", c.jitter(sphenoid), *passages, *c.pair(cheek))
    masseter = [(0.50, 0.30), (0.58, 0.50), (0.52, 0.85), (0.46, 0.60)]
    c.shape("muscle", *c.pair(masseter), c.oval((0, 0.95), (0.24, 0.13)))
    c.stroke("marrow", 0.05, *c.pair([(0.45, 0.35), (0.46, 0.65), (0.40, 0.95)]))


def _fissure(c: Canvas, end: float) -> Field:
    """Return the distance to the fissure between the halves, open from the crown to `end`."""
    bend = c.x + np.float32(0.012) * c.noise(10)
    gap = np.maximum(c.y - np.float32(end), 0)
    return np.asarray(np.sqrt(bend * bend + gap * gap), np.float32)


def _midline(c: Canvas, places: Points) -> None:
    """Draw the falx, the vein at the crown and small vessels."""
    c.stroke("dura", 0.008, [(0, -0.8), (0, -0.5)])
    crown = (0.0, -0.95 + anatomy.SKULL + 0.015)
    anatomy.sinuses(c, (crown, float(c.rng.uniform(0.015, 0.035))))
    anatomy.vessels(c, places)
