"""What an explanation hands back: a map over one image. Needs NumPy and Pillow alone."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain.picture import NOTICE, overlay_map
from mri_tumor.files import write_whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Heatmap:
    """Where in one image the evidence for a class lies, as a method sees it.

    Research software, not a medical device: a map shows what moved the model, not where a tumor is.

    Parameters
    ----------
    values : array_like of float, shape (h, w)
        Evidence in [0, 1], pixel on pixel with the image. Zero everywhere means that the method
        found no evidence. Kept as a read-only float32 copy.
    target : str
        The class that is explained.
    method : str
        Name of the method, as in :data:`mri_tumor.explain.METHODS`.
    image : array_like, shape (h, w), (h, w, 1) or (h, w, 3), optional
        The image that was explained, for pictures.

    Raises
    ------
    ParameterError
        If `values` is not a non-empty two-dimensional array of numbers in [0, 1].
    ImageError
        If `image` has another height or width than `values`.

    Examples
    --------
    >>> heatmap = Heatmap([[0.0, 1.0], [0.0, 0.5]], target="glioma", method="grad_cam")
    >>> heatmap.peak
    (0.75, 0.25)
    """

    values: NDArray[np.float32]
    target: str
    method: str
    image: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        values = np.array(self.values)
        if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "fiub":
            raise ParameterError(
                f"values: expected a non-empty (h, w) array of numbers, got {values.dtype} of "
                f"shape {values.shape}"
            )
        values = values.astype(np.float32)
        if not (values.min() >= 0.0 and values.max() <= 1.0):
            raise ParameterError(
                f"values: expected numbers in [0, 1], got {values.min()} to {values.max()}; "
                "divide by the maximum"
            )
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        if self.image is not None:
            image = np.asarray(self.image)
            if image.shape[:2] != values.shape:
                raise ImageError(
                    f"image: its shape {image.shape} does not fit the map's {values.shape}"
                )
            object.__setattr__(self, "image", image)

    @property
    def peak(self) -> tuple[float, float] | None:
        """Place of the largest value as fractions (x, y) of the image's width and height.

        It is a pixel's centre: the top left pixel of a 100 x 100 map is (0.005, 0.005). Where
        several pixels share the maximum (the plateau that a coarse map leaves at a border), it is
        the one nearest to their mean place. A flat map has no peak: None.
        """
        highest = self.values.max()
        if highest == self.values.min():
            return None
        tied = np.argwhere(self.values == highest)
        nearest = np.argmin(((tied - tied.mean(axis=0)) ** 2).sum(axis=1))
        row, column = tied[nearest]
        height, width = self.values.shape
        return (float(column) + 0.5) / width, (float(row) + 0.5) / height

    @property
    def caption(self) -> str:
        """One line that says what the map shows."""
        return f"{self.target} ({self.method})"

    def overlay(
        self,
        image: ArrayLike | None = None,
        *,
        opacity: float = 0.45,
        colormap: str = "inferno",
        contour: float | None = None,
    ) -> NDArray[np.uint8]:
        """Blend the map into its image, pixel on pixel.

        Parameters
        ----------
        image : array_like, shape (h, w), (h, w, 1) or (h, w, 3), optional
            Image to draw on; by default the one that the map was made of.
        opacity : float, default=0.45
            Share of colour in [0, 1] where the map is 1; it falls with the map, so a pixel without
            evidence keeps the image's grey.
        colormap : str, default="inferno"
            A name of :data:`mri_tumor.explain.COLORMAPS`.
        contour : float, optional
            Also outline the region where the map reaches this value, in (0, 1].

        Returns
        -------
        ndarray of uint8, shape (h, w, 3)
            The picture.

        Raises
        ------
        ImageError
            If no image is known, or its size is not the map's.
        ParameterError
            If an option is outside of what is allowed.
        """
        return overlay_map(
            self._image(image), self.values, opacity=opacity, colormap=colormap, contour=contour
        )

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the overlay as an image file.

        Parameters
        ----------
        path : str or Path
            File to write; its ending names the format (``.png`` keeps every pixel).
        **options
            What :meth:`overlay` takes.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        ImageError
            If no image is known, or Pillow writes no format of that ending.
        """
        path = Path(path)
        kind = Image.registered_extensions().get(path.suffix.lower())
        if kind not in Image.SAVE:
            raise ImageError(
                f"{path}: no image format that can be written has the ending {path.suffix!r}; use .png"
            )
        buffer = io.BytesIO()
        Image.fromarray(self.overlay(**options)).save(buffer, format=kind)
        write_whole(path, lambda file: file.write(buffer.getvalue()))
        return path

    def to_dict(self) -> dict[str, Any]:
        """Return method, target and peak, ready for JSON (a flat map's peak is None)."""
        return {
            "method": self.method,
            "target": self.target,
            "peak": None if self.peak is None else list(self.peak),
        }

    def __repr__(self) -> str:
        height, width = self.values.shape
        peak = "none" if self.peak is None else f"({self.peak[0]:.3f}, {self.peak[1]:.3f})"
        return (
            f"<Heatmap {height}x{width} target={self.target!r} method={self.method!r} peak={peak}>"
        )

    def _repr_html_(self) -> str:
        image = np.zeros(self.values.shape, np.uint8) if self.image is None else self.image
        buffer = io.BytesIO()
        Image.fromarray(overlay_map(image, self.values)).save(buffer, format="PNG")
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        return (
            f'<figure><img alt="heatmap" src="data:image/png;base64,{data}">'
            f"<figcaption>{html.escape(self.caption)}<br>{NOTICE}</figcaption></figure>"
        )

    def _image(self, image: ArrayLike | None) -> ArrayLike:
        chosen = self.image if image is None else image
        if chosen is None:
            raise ImageError("image: this heatmap holds none; pass the image that was explained")
        return chosen
