"""What a scanner adds to anatomy: uneven coils, blur, noise, and a display window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mri_tumor.phantoms.canvas import Pose
from mri_tumor.phantoms.fields import Field


def draw_pose(plane: str, rng: np.random.Generator, *, skull: bool) -> Pose:
    """Return a random place of the head in the image; sagittal heads may face left."""
    aspect = float(rng.uniform(0.94, 1.06))
    shift = rng.uniform(-0.05, 0.05, 2)
    if plane == "axial":
        scale = float(rng.uniform(0.84, 1.04))
    else:  # leaves room for face and neck below
        scale = float(rng.uniform(0.78, 0.98))
        shift[1] += rng.uniform(-0.04, 0.12)
    if not skull:  # what is left is smaller: fill the image with it again
        scale *= 1.15
        shift += (0.0, 0.03 if plane == "axial" else 0.20)
    faces_left = plane == "sagittal" and rng.random() < 0.5
    waves = np.column_stack(
        [
            rng.uniform(-3.5, 3.5, (3, 2)),
            rng.uniform(0, 2 * np.pi, 3),
            rng.uniform(-0.022, 0.022, (3, 2)),
        ]
    )
    return Pose(
        turn=float(np.radians(np.clip(3.5 * rng.standard_normal(), -10, 10))),
        scale=(-scale * aspect if faces_left else scale * aspect, scale / aspect),
        shift=(float(shift[0]), float(shift[1])),
        waves=waves,
    )


@dataclass(frozen=True)
class Scanner:
    """Settings of one scan, drawn by chance; see `draw_scanner`."""

    bias: tuple[float, float, float]  # slopes in x and y, and bowl, in log signal
    fade: float  # rows below this share of the height lose signal, as at a coil's end
    blur: float  # weight of a pixel's neighbors, in [0, 0.5]
    noise: float  # standard deviation in each of the two channels, in units of signal
    gain: float
    gamma: float

    def scan(self, signal: Field, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Turn signal into grey levels.

        Parameters
        ----------
        signal : ndarray of float32, shape (size, size)
            Signal without noise, 0 in air.
        rng : numpy.random.Generator
            Source of the noise; the same numbers are drawn whatever the signal is.

        Returns
        -------
        ndarray of uint8, shape (size, size)
            Grey levels in [0, 255].

        References
        ----------
        .. [1] Gudbjartsson and Patz, "The Rician distribution of noisy MRI data", Magnetic
           Resonance in Medicine 1995, doi:10.1002/mrm.1910340618.
        """
        size = signal.shape[0]
        u = np.linspace(-1, 1, size, dtype=np.float32)
        slope_x, slope_y, bowl = self.bias
        along_x = np.exp(slope_x * u + bowl * u * u)
        along_y = np.exp(slope_y * u + bowl * u * u)
        along_y *= np.clip((1.12 - (u + 1) / 2) / (1.12 - self.fade), 0.05, 1)
        out = signal * along_x.astype(np.float32)
        out *= along_y.astype(np.float32)[:, None]
        out = _soften(out, self.blur)
        real = rng.standard_normal((size, size), dtype=np.float32)
        imaginary = rng.standard_normal((size, size), dtype=np.float32)
        # Noise of neighboring pixels goes together, as after a scanner's interpolation.
        real = _soften(real, 0.25) * np.float32(1.5 * self.noise)
        imaginary = _soften(imaginary, 0.25) * np.float32(1.5 * self.noise)
        out += real
        out *= out
        imaginary *= imaginary
        out += imaginary
        np.sqrt(out, out=out)
        out *= np.float32(self.gain)
        np.minimum(out, 1, out=out)
        if self.gamma != 1:
            np.power(out, np.float32(self.gamma), out=out)
        out *= 255
        out += np.float32(0.5)
        return out.astype(np.uint8)


def draw_scanner(plane: str, rng: np.random.Generator) -> Scanner:
    """Return the settings of a random scan; they know nothing of the class."""
    bias = rng.uniform(-1, 1, 3) * (0.14, 0.14, 0.16)
    return Scanner(
        bias=(float(bias[0]), float(bias[1]), float(bias[2])),
        fade=1.0 if plane == "axial" else float(rng.uniform(0.40, 0.70)),
        blur=float(rng.uniform(0.15, 0.45)),
        noise=float(rng.uniform(0.004, 0.024)),
        gain=float(rng.uniform(0.85, 1.15)),
        gamma=float(rng.uniform(0.9, 1.15)),
    )


def _soften(field: Field, weight: float) -> Field:
    """Blend each pixel with its neighbors, first up and down, then left and right."""
    side, middle = np.float32(weight / 2), np.float32(1 - weight)
    out = field * middle
    out[1:] += side * field[:-1]
    out[:-1] += side * field[1:]
    wide = out * middle
    wide[:, 1:] += side * out[:, :-1]
    wide[:, :-1] += side * out[:, 1:]
    return wide
