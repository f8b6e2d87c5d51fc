"""What every plane shares: skull and scalp, folded cortex, cerebellum, soft tissue of the face."""

import numpy as np

from mri_tumor.phantoms.canvas import Canvas
from mri_tumor.phantoms.curves import Points
from mri_tumor.phantoms.fields import Field, edge

# Layers of the head from the outside in: distance (head units, 1 is about 9 cm), tissue.
_LAYERS = (
    (0.000, "air"),
    (0.008, "muscle"),
    (0.020, "fat"),
    (0.046, "fat"),
    (0.060, "bone"),
    (0.068, "bone"),
    (0.080, "marrow"),
    (0.092, "marrow"),
    (0.104, "bone"),
    (0.114, "bone"),
    (0.120, "dura"),
    (0.132, "csf"),
)
SKULL = 0.126  # distance from the skin to the inner border of the skull


def skull(c: Canvas, distance: Field, thickness: float) -> Field:
    """Paint scalp and skull, and return the distance to their inner border.

    Parameters
    ----------
    c : Canvas
        The slice.
    distance : ndarray of float32
        Distance to the skin in head units, positive inside.
    thickness : float
        How thick the layers are, 1 for the usual.

    Returns
    -------
    ndarray of float32
        Distance to the inner border, positive inside.
    """
    uneven = np.float32(thickness) * (1 + np.float32(0.16) * c.noise(9))
    scaled = distance / uneven
    steps = 512
    at = np.linspace(0, _LAYERS[-1][0], steps)
    signals = [c.tissues[t] for _, t in _LAYERS]
    share = float(c.rng.uniform(0.05, 0.7))  # of the bone that is marrow, from person to person
    for k, (_, tissue) in enumerate(_LAYERS):
        if tissue == "marrow":
            signals[k] = c.tissues["bone"] + share * (signals[k] - c.tissues["bone"])
    table = np.interp(at, [d for d, _ in _LAYERS], signals)
    index = np.clip(scaled * np.float32((steps - 1) / at[-1]), 0, steps - 1).astype(np.intp)
    layers = np.take(table.astype(np.float32), index)
    c.blend(layers, edge(distance, c.pixel))
    inner = (scaled - np.float32(SKULL)) * np.float32(thickness)
    c.brain = edge(inner, c.pixel)
    return inner


def ears(c: Canvas, at: tuple[float, float], height: float) -> None:
    """Draw the ears, before the head is drawn over their inner part."""
    x, y = at
    reach = 0.055 + 0.02 * float(c.rng.standard_normal())
    rim = [(x - 0.06, y - height), (x + 0.5 * reach, y - 0.9 * height), (x + reach, y)]
    rim += [(x + 0.4 * reach, y + 0.6 * height), (x - 0.06, y + height)]
    c.shape("muscle", *c.pair(rim), strength=0.9)


def _folds(c: Canvas, cells: int) -> Field:
    """Return the distance to the nearest sulcus in head units.

    Sulci are the zero lines of a random field: they wind and keep about one distance, as gyri
    do. The field is band-passed noise, with rays from the center added so that more sulci run
    inwards than along the skull. Distance to a zero line is the field over its slope.
    """
    x, y = c.half_x, c.half_y + np.float32(0.12)
    rays = np.cos(np.arctan2(y, x) * np.float32(0.62 * cells) + 3 * c.noise(9, half=True))
    rays *= np.clip(np.sqrt(x * x + y * y) - np.float32(0.15), 0, np.float32(0.45))
    field = c.noise(cells, band=True, half=True) + rays
    slope_y = np.zeros_like(field)
    slope_x = np.zeros_like(field)
    slope_y[1:-1] = field[2:] - field[:-2]
    slope_x[:, 1:-1] = field[:, 2:] - field[:, :-2]
    slope = np.sqrt(slope_x * slope_x + slope_y * slope_y) * np.float32(0.25 / c.pixel)
    slope += np.float32(0.09 * cells)
    return np.abs(c.enlarge(field / slope))


def cortex(
    c: Canvas,
    inside: Field,
    *,
    fissure: Field | None = None,
    cells: int = 26,
    atrophy: float = 1.0,
    strength: float = 1.0,
) -> None:
    """Paint the cerebrum: fluid, a folded ribbon of grey matter, white matter within.

    Parameters
    ----------
    c : Canvas
        The slice.
    inside : ndarray of float32
        Distance to the inner border of the skull, positive inside, in head units.
    fissure : ndarray of float32, optional
        Distance to the fissure between the halves, where the slice has one.
    cells : int, default=26
        How fine the folds are: sulci across the image's side, about.
    atrophy : float, default=1
        Width of the fluid-filled clefts, 1 for the usual.
    strength : float, default=1
        How deep the sulci reach, 1 for the usual.
    """
    away = _folds(c, cells)
    uneven = c.noise(9)
    reach = np.float32(strength) * (np.float32(0.19) + np.float32(0.13) * uneven)
    surface = inside if fissure is None else np.minimum(inside, fissure)
    below = np.maximum(surface - reach, 0)
    away = np.sqrt(away * away + below * below)
    gap = np.float32(0.016 * atrophy)
    width = np.float32(0.009 * atrophy) * (1 + c.noise(15))
    pial = np.minimum(surface - gap, away - width)
    ribbon = pial - np.float32(0.044)
    tissues = c.tissues
    value = np.full_like(pial, tissues["csf"])
    value += edge(pial, 1.4 * c.pixel) * np.float32(tissues["grey"] - tissues["csf"])
    white = edge(ribbon, 0.03) * (1 + np.float32(0.12) * uneven)
    value += white * np.float32(tissues["white"] - tissues["grey"])
    c.blend(value, edge(inside, c.pixel))


def cerebellum(
    c: Canvas, inside: Field, hub: tuple[float, float], *, spacing: float = 0.055
) -> None:
    """Paint the cerebellum inside of a border: thin leaves of cortex around a white `hub`."""
    w = c.window(inside > -c.pixel)
    x, y, inside = c.x[w] - np.float32(hub[0]), c.y[w] - np.float32(hub[1]), inside[w]
    rough = c.noise(16)[w]
    rings = np.sqrt(x * x + y * y) + np.float32(0.05) * c.noise(7)[w] + np.float32(0.012) * rough
    wave = np.sin(rings * np.float32(2 * np.pi / spacing))
    tissues = c.tissues
    outer = edge(np.float32(0.15) + np.float32(0.05) * rough - inside, 0.14)
    value = np.full_like(wave, tissues["deep"])
    clefts = np.maximum(wave - np.float32(0.2) + np.float32(0.5) * rough, 0) * outer
    value += np.float32(0.4) * clefts * np.float32(tissues["csf"] - tissues["deep"])
    value += (1 - outer) * np.float32(0.8 * (tissues["white"] - tissues["deep"]))
    value += edge(np.float32(0.014) - inside, 0.012) * (tissues["csf"] - value)
    c.blend(value, edge(inside, c.pixel), w)


def soft_tissue(c: Canvas, *, even: bool = False) -> Field:
    """Return the medley below the skull, of muscle and fat; alike on both sides if `even`."""
    strands = c.noise(30, band=True, stretch=2, half=True)
    grain = c.noise(47, band=True, half=True)
    blot = np.float32(0.75) * strands + np.float32(0.45) * grain
    blot += np.float32(0.4) * c.noise(9, half=True)
    if even:
        center = float(c.place([(0.0, 0.6)])[0, 0])
        blot = np.float32(0.8) * (blot + np.roll(blot[:, ::-1], round(center), axis=1))
    tissues = c.tissues
    value = tissues["muscle"] * (1 + np.float32(0.2) * strands)
    fat = edge(blot - np.float32(0.2), 0.9)
    value += np.float32(0.5) * fat * (np.float32(0.9 * tissues["fat"]) - value)
    dark = edge(np.float32(-0.5) - blot, 0.9)
    value += np.float32(0.4) * dark * (np.float32(tissues["bone"]) - value)
    return c.enlarge(value)


def eyes(c: Canvas, *places: tuple[tuple[float, float], tuple[float, float]]) -> None:
    """Draw eyeballs with their nerves; each is a center and a gaze (a unit vector)."""
    nerves = [
        [(x - 0.32 * u, y - 0.32 * v), (x - 0.1 * u, y - 0.1 * v)] for (x, y), (u, v) in places
    ]
    c.stroke("muscle", 0.035, *nerves)
    c.shape("muscle", *(c.oval(center, (0.135, 0.128)) for center, _ in places))
    c.shape("vitreous", *(c.oval(center, (0.118, 0.112)) for center, _ in places))
    lenses = (
        c.oval((x + 0.085 * u, y + 0.085 * v), (0.03, 0.05), turn=float(np.arctan2(v, u)))
        for (x, y), (u, v) in places
    )
    c.shape("lens", *lenses)


def sinuses(c: Canvas, *places: tuple[tuple[float, float], float]) -> None:
    """Draw veins between layers of dura: natural bright spots on contrast T1."""
    c.shape("dura", *(c.oval(at, (1.2 * radius, radius)) for at, radius in places))
    c.shape("vessel", *(c.oval(at, (radius, 0.8 * radius)) for at, radius in places))


def vessels(c: Canvas, places: Points) -> None:
    """Draw four to nine small vessels near given places, from dots to arcs."""
    rng = c.rng
    paths, widths = [], []
    for _ in range(int(rng.integers(4, 10))):
        x, y = places[int(rng.integers(len(places)))]
        x, y = x + rng.normal(0, 0.05), y + rng.normal(0, 0.05)
        turn, bow = rng.uniform(0, 2 * np.pi), rng.uniform(-1, 1)
        s = rng.uniform(0.02, 0.13) * np.linspace(0, 1, 4)
        along = turn + 9 * bow * s
        paths.append(np.stack([x + s * np.cos(along), y + s * np.sin(along)], 1))
        widths.append(float(rng.uniform(0.008, 0.022)))
    c.stroke("vessel", widths, *paths, strength=0.85)


def spots(c: Canvas, places: Points) -> None:
    """Draw up to seven small spots in white matter, which many healthy brains have."""
    ovals = []
    for _ in range(int(c.rng.integers(0, 8))):
        x, y = places[int(c.rng.integers(len(places)))]
        at = (x + float(c.rng.normal(0, 0.05)), y + float(c.rng.normal(0, 0.09)))
        radii = c.rng.uniform(0.008, 0.025, 2)
        ovals.append(c.oval(at, (float(radii[0]), float(radii[1]))))
    if ovals:
        c.shape("cap", *ovals, strength=0.7)
