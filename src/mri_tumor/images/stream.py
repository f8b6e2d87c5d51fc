"""Images that come one after the other, each to be read when its turn comes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import ImageError
from mri_tumor.images.arrays import as_grey_image
from mri_tumor.images.collection import as_collection
from mri_tumor.images.messages import refusal, shown
from mri_tumor.images.reading import read_image

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Picture:
    """One image that is still to be read.

    Parameters
    ----------
    name : str
        What it is called: its path, or ``X[i]`` for an array.
    read : callable
        Returns its grey pixels, uint8 of shape (h, w), or raises ImageError.
    """

    name: str
    read: Callable[[], NDArray[np.uint8]]

    def decode(self) -> NDArray[np.uint8]:
        """Return the grey pixels; whatever this one image needs too much of is its own error.

        Raises
        ------
        ImageError
            If it cannot be read.
        """
        try:
            return self.read()
        except MemoryError:
            problem, advice = "needs more memory than there is", "Give a smaller image"
        except ImageError:
            raise
        except OSError as error:
            problem = f"cannot be read ({error.strerror or type(error).__name__})"
            advice = "Check the disk"
        raise refusal(shown(self.name), problem, advice)


def as_pictures(images: Any, *, name: str = "X") -> tuple[Iterator[Picture], int | None]:
    """Take images one after the other, whatever form they come in.

    Parameters
    ----------
    images : iterator, or what `as_collection` accepts
        An iterator of paths, arrays or `Picture` is taken as it comes and may have no end.
    name : str, default="X"
        What messages call the argument.

    Returns
    -------
    pictures : iterator of Picture
        The images in order.
    count : int or None
        How many there are, where that is known.

    Raises
    ------
    ImageError
        If there is none, or the argument is something else.
    """
    if isinstance(images, Iterator):
        return (_as_picture(item, f"{name}[{i}]") for i, item in enumerate(images)), None
    if isinstance(images, (list, tuple)) and images:
        # Each by itself, so that one that cannot be used is an error of its own.
        listed = (_as_picture(item, f"{name}[{i}]") for i, item in enumerate(images))
        return listed, len(images)
    known = as_collection(images, name=name)
    return (Picture(known.names[i], partial(known.read, i)) for i in range(len(known))), len(known)


def _as_picture(item: Any, name: str) -> Picture:
    if isinstance(item, Picture):
        return item
    if isinstance(item, (str, Path)):
        return Picture(os.fspath(item), partial(read_image, item))
    return Picture(name, partial(as_grey_image, item, name))
