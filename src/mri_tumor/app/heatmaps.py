"""Heatmaps as the app offers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.explain.heatmap import Heatmap
    from mri_tumor.runtime import Runtime

METHODS = {
    "head_cam": "Head-CAM",
    "grad_cam": "Grad-CAM",
    "occlusion": "Occlusion (slower)",
}
ABOUT_METHODS = (
    "Head-CAM asks the model about one place of its last feature map after the other. Grad-CAM "
    "weighs that map by what speaks for the class. Occlusion covers place after place and sees "
    "what the class loses."
)


@dataclass(frozen=True, kw_only=True)
class MapChoice:
    """What to explain, and how.

    Parameters
    ----------
    target : str, default="likeliest_tumor"
        A class, ``"tumor"`` or ``"likeliest_tumor"``.
    method : str, optional
        One of `METHODS`; by default the model's own.
    finer : bool, default=False
        Spend more time on a map that is less coarse.
    """

    target: str = "likeliest_tumor"
    method: str | None = None
    finer: bool = False

    def options(self, size: int) -> dict[str, Any]:
        """Return the method's options for a network with inputs of a size in pixels."""
        if self.method == "occlusion":
            patch = max(1, size // 8)
            return {"patch": patch, "step": max(1, patch // 2) if self.finer else patch}
        # Half of a cell of a 32-fold smaller feature map, as all shipped backbones have.
        return {"shift": min(16, size // 4), "flip": True} if self.finer else {}


def make_heatmap(model: Runtime, image: NDArray[np.uint8], choice: MapChoice) -> Heatmap:
    """Explain one image.

    Parameters
    ----------
    model : Runtime
        What answers.
    image : ndarray of uint8, shape (h, w)
        Grey pixels.
    choice : MapChoice
        What to explain.

    Returns
    -------
    Heatmap
        In the image's pixels.

    Raises
    ------
    BundleError
        If the model has no weights for heatmaps.
    """
    options = choice.options(model.preprocessing_.size)
    return model.explain([image], target=choice.target, method=choice.method, **options)[0]
