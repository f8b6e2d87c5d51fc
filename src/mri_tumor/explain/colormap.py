"""Colour maps as small tables, so that a picture needs no plotting library."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mri_tumor.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Seventeen evenly spaced colours (sRGB, hexadecimal) of each map, read off and joined by straight
# lines; the joined maps stay within 8 of 255 of the originals. Inferno and viridis are by Nathaniel
# Smith and Stefan van der Walt (CC0), turbo is by Anton Mikhailov (Apache-2.0).
_ANCHORS = {
    "inferno": (
        "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 "
        "d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4"
    ),
    "viridis": (
        "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
        "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725"
    ),
    "turbo": (
        "30123b 4040a2 466be3 4294ff 28bceb 18ddc2 32f298 6dfe62 a4fc3c "
        "cdec34 eecf3a fdac34 fb7e21 eb500e d02f05 a91601 7a0403"
    ),
    "gray": "000000 ffffff",
    # Black body: red rises over the first three eighths, green over the next three, blue last.
    "hot": "000000 550000 aa0000 ff0000 ff5500 ffaa00 ffff00 ffff80 ffffff",
}
COLORMAPS = tuple(_ANCHORS)


@cache
def colormap_table(name: str) -> NDArray[np.uint8]:
    """Return the 256 colours of a named map.

    Parameters
    ----------
    name : {"inferno", "viridis", "turbo", "gray", "hot"}
        The map. `inferno` and `viridis` are even to the eye and safe for colour-blind readers.

    Returns
    -------
    ndarray of uint8, shape (256, 3)
        Red, green and blue for the values 0, 1/255, ..., 1. Read-only.

    Raises
    ------
    ParameterError
        If no map has that name.

    Examples
    --------
    >>> colormap_table("gray")[128].tolist()
    [128, 128, 128]
    """
    if name not in _ANCHORS:
        raise ParameterError(f"colormap: unknown {name!r}; use one of {', '.join(COLORMAPS)}")
    colors = np.array([list(bytes.fromhex(code)) for code in _ANCHORS[name].split()], dtype=float)
    at = np.linspace(0.0, 1.0, len(colors))
    wanted = np.linspace(0.0, 1.0, 256)
    table = np.stack([np.interp(wanted, at, channel) for channel in colors.T], axis=1)
    result = np.round(table).astype(np.uint8)
    result.flags.writeable = False
    return result


def colorize(values: NDArray[np.floating], *, colormap: str = "inferno") -> NDArray[np.uint8]:
    """Turn a map into colours.

    Parameters
    ----------
    values : ndarray of float, any shape
        Values in [0, 1]; what lies outside is clipped.
    colormap : str, default="inferno"
        A name of :data:`COLORMAPS`.

    Returns
    -------
    ndarray of uint8, shape (*values.shape, 3)
        Red, green and blue in [0, 255].

    Raises
    ------
    ParameterError
        If no map has that name.
    """
    index = np.round(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)
    colors: NDArray[np.uint8] = colormap_table(colormap)[index]
    return colors
