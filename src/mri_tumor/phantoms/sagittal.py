"""Sagittal slices: through the midline, or beside it through an eye. The face is right."""

import numpy as np

from mri_tumor.phantoms import anatomy
from mri_tumor.phantoms.canvas import Canvas
from mri_tumor.phantoms.curves import Points
from mri_tumor.phantoms.fields import Field, both, edge

_HEAD = [(0.05, -0.95), (0.45, -0.86), (0.74, -0.58), (0.82, -0.25), (0.72, 0.00), (0.45, 0.16)]
_HEAD += [(0.15, 0.28), (-0.10, 0.46), (-0.40, 0.48), (-0.70, 0.28), (-0.86, -0.10)]
_HEAD += [(-0.82, -0.48), (-0.55, -0.80), (-0.25, -0.93)]
_FACE = [(0.80, -0.34), (0.80, -0.12), (0.88, 0.04), (0.99, 0.20), (0.95, 0.28), (0.84, 0.30)]
_FACE += [(0.88, 0.41), (0.83, 0.47), (0.87, 0.55), (0.77, 0.64), (0.80, 0.78), (0.64, 0.88)]
_FACE += [(0.40, 0.88), (0.20, 1.00), (0.16, 1.50), (-0.52, 1.50), (-0.56, 0.90), (-0.68, 0.36)]
_FACE += [(-0.5, 0.0), (0.3, -0.2)]
_CALLOSUM = [(0.19, -0.12), (0.30, -0.13), (0.37, -0.24), (0.28, -0.38), (0.05, -0.45)]
_CALLOSUM += [(-0.22, -0.42), (-0.42, -0.27), (-0.41, -0.14), (-0.33, -0.13), (-0.30, -0.24)]
_CALLOSUM += [(-0.18, -0.34), (0.04, -0.375), (0.22, -0.33), (0.29, -0.24), (0.26, -0.18)]
_VENTRICLE = [(0.20, -0.10), (0.30, -0.22), (0.12, -0.36), (-0.20, -0.33), (-0.36, -0.18)]
_VENTRICLE += [(-0.25, 0.02), (0.0, 0.02)]
_STEM = [(-0.16, -0.06), (0.02, -0.05), (0.00, 0.06), (0.07, 0.15), (0.03, 0.27), (-0.06, 0.34)]
_STEM += [(-0.09, 0.60), (-0.17, 0.60), (-0.19, 0.34), (-0.16, 0.20), (-0.17, 0.08)]
_CISTERN = [(0.26, 0.02), (0.08, 0.00), (-0.05, 0.08), (0.02, 0.30), (-0.08, 0.42)]
_CISTERN += [(0.0, 0.40), (0.12, 0.18), (0.22, 0.08)]


def midline(c: Canvas, thickness: float, atrophy: float) -> None:
    """Draw the slice through corpus callosum, brain stem and sella."""
    inside, _ = _shell(c, thickness)
    _neck(c)
    anatomy.cortex(c, inside, cells=23, atrophy=1.25 * atrophy, strength=1.2)
    hind = _hindbrain(c, inside, (-0.20, 0.16))
    c.depth = np.minimum(np.minimum(inside, -hind), np.float32(0.08) - c.y)
    # Middle of the brain: fluid first, then what lies in it.
    cingulate = [(0.30, 0.02), (0.43, -0.20), (0.30, -0.42), (0.0, -0.50), (-0.30, -0.45)]
    _sulcus(c, [*cingulate, (-0.50, -0.25)], 0.02 * atrophy)
    fluid = float(c.rng.uniform(0.5, 1.0)) * min(atrophy, 1.0)
    c.shape("csf", c.jitter(_VENTRICLE), strength=fluid)
    c.shape("deep", c.oval((-0.04, -0.13), (0.15, 0.10), turn=0.2))
    fornix = c.jitter([(0.18, -0.08), (0.10, -0.22), (-0.10, -0.26), (-0.28, -0.19)], 0.008)
    c.stroke("white", 0.03, fornix)
    c.shape("white", c.jitter(_CALLOSUM, 0.006))
    c.shape("csf", c.jitter(_CISTERN))
    c.shape("white", c.jitter(_STEM, 0.006))
    c.stroke("white", 0.06, [(-0.13, 0.58), (-0.135, 0.9), (-0.12, 1.4)])
    c.shape("deep", c.oval((0.0, 0.16), (0.055, 0.09)), strength=0.6)
    quadrigeminal = c.jitter([(-0.18, -0.06), (-0.30, -0.04), (-0.27, 0.03), (-0.18, 0.06)])
    c.shape("csf", [(-0.165, 0.08), (-0.26, 0.17), (-0.17, 0.28)], quadrigeminal)
    _skull_base(c)
    c.shape("gland", c.oval((0.17, 0.065), (0.05, 0.032)))
    c.stroke("gland", 0.018, [(0.13, -0.03), (0.165, 0.04)])
    c.stroke("white", 0.025, [(0.09, -0.01), (0.20, -0.03)])  # optic chiasm
    c.sella = (0.17, 0.05)
    _veins(c)
    anatomy.vessels(c, [(0.42, -0.25), (0.1, -0.48), (-0.45, -0.1), (0.2, 0.0)])


def beside(c: Canvas, thickness: float, atrophy: float) -> None:
    """Draw a slice a few centimetres off the midline, through an eye."""
    inside, filling = _shell(c, thickness)
    slope = np.float32(0.42) * np.maximum(c.x + np.float32(0.1), 0)
    floor = np.float32(0.36) - slope - c.y
    inside = both(inside, floor, 0.06)
    c.blend(filling, edge(-floor, c.pixel) * c.brain)
    c.brain = edge(inside, c.pixel)
    anatomy.cortex(c, inside, atrophy=atrophy)
    hind = _hindbrain(c, inside, (-0.24, 0.16))
    c.depth = np.minimum(inside, -hind)
    c.clip = c.brain
    # The Sylvian fissure parts the temporal lobe from the rest.
    sylvian = [(0.40, 0.06), (0.22, -0.02), (0.0, -0.08), (-0.20, -0.16)]
    _sulcus(c, sylvian, 0.028 * atrophy)
    c.shape("deep", c.oval((0.10, -0.17), (0.16, 0.07), turn=0.2))
    w = float(c.rng.uniform(0.6, 1.2)) * (0.5 + 0.5 * atrophy)
    horn = [(0.24, -0.24), (0.20, -0.27 - 0.06 * w), (-0.05, -0.31 - 0.07 * w)]
    horn += [(-0.30, -0.24 - 0.05 * w), (-0.40 - 0.06 * w, -0.10), (-0.28, 0.02 + 0.03 * w)]
    horn += [(-0.14, 0.05), (-0.26, -0.04), (-0.28, -0.14), (-0.10, -0.25), (0.08, -0.26)]
    c.shape("csf", c.jitter(horn))
    c.stroke("choroid", 0.035, [(-0.22, -0.20), (-0.32, -0.12), (-0.28, -0.04)])
    c.clip = None
    orbit = [(0.44, 0.12), (0.60, -0.03), (0.80, -0.05), (0.82, 0.10), (0.70, 0.22)]
    c.shape("fat", c.jitter(orbit))
    anatomy.eyes(c, ((0.72, 0.07), (0.99, 0.0)))
    c.shape("mucosa", c.jitter([(0.52, 0.27), (0.74, 0.25), (0.72, 0.44), (0.54, 0.46)]))
    c.shape("air", c.jitter([(0.54, 0.29), (0.72, 0.27), (0.70, 0.42), (0.56, 0.44)]))
    _veins(c)
    anatomy.spots(c, [(0.0, -0.42), (-0.3, -0.38)])
    anatomy.vessels(c, [(0.2, 0.0), (-0.1, -0.12), (-0.45, 0.0)])


def _shell(c: Canvas, thickness: float) -> tuple[Field, Field]:
    """Paint face, neck and skull; return the distance to its inner border, and the filling."""
    filling = anatomy.soft_tissue(c)
    c.blend(filling, c.cover(c.jitter(_FACE, 0.012)))
    points = c.jitter(_HEAD, 0.008) * (1, float(c.rng.uniform(0.95, 1.03)))
    return anatomy.skull(c, c.contour(points, (-0.05, -0.25)), thickness), filling


def _neck(c: Canvas) -> None:
    """Draw the spine with its cord, the throat, the tongue and the nose's cavity."""
    c.shape("mucosa", [(0.48, 0.18), (0.88, 0.16), (0.86, 0.34), (0.46, 0.34)])
    passages = [c.jitter([(0.46, y), (0.62, y + 0.01), (0.80, y)]) for y in (0.20, 0.27, 0.33)]
    throat = c.jitter([(0.38, 0.24), (0.30, 0.40), (0.30, 0.62), (0.27, 0.90), (0.26, 1.4)])
    c.stroke("air", [0.035, 0.035, 0.035, 0.055], *passages, throat)
    tongue = [(0.40, 0.46), (0.60, 0.43), (0.78, 0.50), (0.70, 0.66), (0.46, 0.70)]
    c.shape("muscle", c.jitter(tongue))
    c.stroke("csf", 0.13, [(-0.12, 0.36), (-0.15, 0.60), (-0.13, 0.95), (-0.12, 1.4)])
    spine = [(0.02 - 0.012 * abs(k - 3), 0.50 + 0.14 * k) for k in range(7)]
    c.shape("marrow", *(c.oval(at, (0.085, 0.055)) for at in spine))
    disks = [[(x - 0.08, y + 0.07), (x + 0.08, y + 0.07)] for x, y in spine]
    c.stroke("bone", 0.02, [(0.44, 0.39), (0.60, 0.41), (0.82, 0.40)], *disks)


def _sulcus(c: Canvas, path: Points, width: float) -> None:
    """Draw a named sulcus: fluid between two ribbons of grey matter."""
    line = c.jitter(path)
    c.stroke("grey", width + 0.075, line)
    c.stroke("csf", width, line)


def _hindbrain(c: Canvas, inside: Field, hub: tuple[float, float]) -> Field:
    """Draw the cerebellum under its tent of dura and return the distance to its border."""
    outline = [(-0.18, 0.06), (-0.32, -0.02), (-0.52, 0.02), (-0.66, 0.16), (-0.56, 0.34)]
    outline += [(-0.36, 0.40), (-0.20, 0.30), (-0.17, 0.18)]
    hind = np.minimum(c.contour(c.jitter(outline, 0.008), (-0.38, 0.17)), inside)
    anatomy.cerebellum(c, hind, hub)
    c.stroke("dura", 0.014, [(-0.26, -0.07), (-0.50, -0.03), (-0.76, 0.12)])
    return hind


def _skull_base(c: Canvas) -> None:
    """Draw the clivus, the sella's floor and the air of the sphenoid and frontal sinuses."""
    clivus = [(0.12, 0.10), (0.20, 0.12), (0.12, 0.34), (0.02, 0.46), (-0.01, 0.42)]
    c.shape("marrow", c.jitter(clivus))
    c.shape("mucosa", c.jitter([(0.20, 0.11), (0.40, 0.08), (0.42, 0.22), (0.24, 0.26)]))
    sphenoid = c.jitter([(0.22, 0.13), (0.38, 0.10), (0.40, 0.20), (0.25, 0.24)])
    frontal = c.jitter([(0.70, -0.22), (0.75, -0.20), (0.74, -0.04), (0.68, -0.08)])
    c.shape("air", sphenoid, frontal)


def _veins(c: Canvas) -> None:
    """Draw the large veins at the crown's inner side and at the back of the tent."""
    anatomy.sinuses(c, ((-0.70, 0.08), float(c.rng.uniform(0.02, 0.04))))
    crown = [(-0.60, -0.50), (-0.40, -0.70), (-0.10, -0.795), (0.15, -0.80)]
    c.stroke("vessel", 0.014, crown, strength=0.6)
