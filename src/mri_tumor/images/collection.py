"""Whatever a caller passes as images, as one sequence that is read when needed."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mri_tumor.errors import ImageError
from mri_tumor.images.arrays import as_grey_image, as_grey_images
from mri_tumor.images.preprocessing import Geometry, Preprocessing, preprocess
from mri_tumor.images.reading import read_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageCollection:
    """Images that are decoded one at a time, on demand.

    Parameters
    ----------
    names : tuple of str
        What each image is called: its path, or ``images[i]`` for an array.
    arrays : tuple of ndarray of uint8, optional
        Grey images already in memory, one per name; None where `names` are files to read.
    """

    names: tuple[str, ...]
    arrays: tuple[NDArray[np.uint8], ...] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return one image as grey pixels, shape (h, w).

        Raises
        ------
        ImageError
            If its file cannot be read.
        """
        return self.arrays[index] if self.arrays is not None else read_image(self.names[index])

    def subset(self, indices: Sequence[int] | NDArray[np.intp]) -> ImageCollection:
        """Return the images at some positions, in that order."""
        names = tuple(self.names[i] for i in indices)
        arrays = None if self.arrays is None else tuple(self.arrays[i] for i in indices)
        return ImageCollection(names, arrays)


def as_collection(images: Any, *, name: str = "X") -> ImageCollection:
    """Accept images in any form that the library knows.

    Parameters
    ----------
    images : path, sequence of paths, array, sequence of arrays, or object with ``paths``
        Files; one array of shape (n, h, w) or (n, h, w, c), uint8 or float in [0, 1] or
        [0, 255]; several arrays of any shapes (h, w) or (h, w, c); or a data set.
    name : str, default="X"
        What messages call the argument.

    Returns
    -------
    ImageCollection
        The images; files are not opened yet.

    Raises
    ------
    ImageError
        If there is none, or the argument is something else.
    """
    if isinstance(images, ImageCollection):
        return images
    if hasattr(images, "paths"):
        # Phantoms that were not written have no paths, and their pixels instead.
        paths = images.paths
        images = paths if len(paths) else getattr(images, "images", paths)
    if isinstance(images, (str, Path)):
        images = [images]
    if isinstance(images, np.ndarray) and images.dtype.kind not in "OUS":
        arrays = as_grey_images(images, name)
        return ImageCollection(tuple(f"{name}[{i}]" for i in range(len(arrays))), tuple(arrays))
    try:
        items = list(images)
    except TypeError:
        message = (
            f"{name}: pass paths, an array of shape (n, h, w) or (n, h, w, c), or a data set "
            f"from load_dataset. Received: {type(images).__name__}"
        )
        raise ImageError(message) from None
    if not items:
        raise ImageError(f"{name}: there is no image in it. Pass at least one.")
    if all(isinstance(item, (str, Path)) for item in items):
        return ImageCollection(tuple(os.fspath(item) for item in items))
    names = tuple(f"{name}[{i}]" for i in range(len(items)))
    grey = tuple(as_grey_image(item, n) for item, n in zip(items, names, strict=True))
    return ImageCollection(names, grey)


class Prepare(Protocol):
    """Takes a decoded image and its position to a model's input."""

    def __call__(self, image: NDArray[np.uint8], index: int) -> tuple[NDArray[np.uint8], Geometry]:
        """Return the model's input and where it lies in the image."""


@dataclass(frozen=True)
class PreparedBatch:
    """Some images of a collection, ready for a model.

    Parameters
    ----------
    indices : tuple of int
        Positions in the collection of the images that could be read.
    values : ndarray of uint8, shape (n, size, size, 3)
        Their model inputs in [0, 255]; n may be 0.
    geometries : tuple of Geometry
        Where each input lies in its image.
    originals : tuple of ndarray of uint8
        The decoded images.
    errors : dict of int to ImageError
        Why the others could not be read, by position.
    descriptions : tuple
        What `describe` said of each decoded image; empty without it.
    """

    indices: tuple[int, ...]
    values: NDArray[np.uint8]
    geometries: tuple[Geometry, ...]
    originals: tuple[NDArray[np.uint8], ...]
    errors: dict[int, ImageError]
    descriptions: tuple[Any, ...] = ()


def prepared_batches(
    images: ImageCollection,
    settings: Preprocessing,
    *,
    batch_size: int = 32,
    workers: int | None = None,
    prepare: Prepare | None = None,
) -> Iterator[PreparedBatch]:
    """Read and prepare images in order, ahead of their use, in bounded memory.

    Parameters
    ----------
    images : ImageCollection
        The images.
    settings : Preprocessing
        How to prepare them.
    batch_size : int, default=32
        Images per batch; the last may be smaller.
    workers : int, optional
        Threads that read ahead; by default as many as there are processors, at most 8.
    prepare : callable, optional
        ``prepare(image, index) -> (values, geometry)`` instead of `preprocess`.

    Yields
    ------
    PreparedBatch
        Every image is in one batch, among its values or its errors.
    """
    readers = (partial(images.read, index) for index in range(len(images)))
    yield from batches_ahead(
        readers, settings, batch_size=batch_size, workers=workers, prepare=prepare
    )


def batches_ahead(
    readers: Iterable[Callable[[], NDArray[np.uint8]]],
    settings: Preprocessing,
    *,
    batch_size: int = 32,
    workers: int | None = None,
    prepare: Prepare | None = None,
    describe: Callable[[NDArray[np.uint8]], Any] | None = None,
) -> Iterator[PreparedBatch]:
    """Do what `prepared_batches` does for images that come one after the other, without end.

    Parameters
    ----------
    readers : iterable of callable
        Each reads one image, grey, uint8 of shape (h, w), or raises ImageError. No more of them
        are taken than two batches need.
    settings, batch_size, workers, prepare
        As in `prepared_batches`.
    describe : callable, optional
        Something else to be known of each decoded image, found by the threads that read.

    Yields
    ------
    PreparedBatch
        Positions count the readers from 0.
    """

    def load(
        index: int, read: Callable[[], NDArray[np.uint8]]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Geometry, Any] | ImageError:
        try:
            image = read()
        except ImageError as error:
            return error
        values, geometry = prepare(image, index) if prepare else preprocess(image, settings)
        return image, values, geometry, describe(image) if describe else None

    numbered = enumerate(readers)
    first = list(islice(numbered, 2))
    if len(first) < 2:  # threads cost more than they save
        for i, read in first:
            yield _as_batch([(i, load(i, read))], settings.size, described=describe is not None)
        return
    upcoming = chain(first, numbered)
    workers = workers or min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="mri-tumor-read") as pool:
        pending: list[tuple[int, Future[Any]]] = []
        try:
            while True:
                ahead = 2 * batch_size - len(pending)
                pending += [(i, pool.submit(load, i, read)) for i, read in islice(upcoming, ahead)]
                if not pending:
                    return
                ready, pending = pending[:batch_size], pending[batch_size:]
                results = [(i, future.result()) for i, future in ready]
                yield _as_batch(results, settings.size, described=describe is not None)
                # Futures hold their images: let go of them before the next ones come.
                del ready, results
        finally:
            for _, future in pending:
                future.cancel()


def _as_batch(results: list[tuple[int, Any]], size: int, *, described: bool) -> PreparedBatch:
    errors = {i: result for i, result in results if isinstance(result, ImageError)}
    good = [(i, *result) for i, result in results if not isinstance(result, ImageError)]
    empty = np.zeros((0, size, size, 3), dtype=np.uint8)
    return PreparedBatch(
        indices=tuple(row[0] for row in good),
        values=np.stack([row[2] for row in good]) if good else empty,
        geometries=tuple(row[3] for row in good),
        originals=tuple(row[1] for row in good),
        errors=errors,
        descriptions=tuple(row[4] for row in good) if described else (),
    )
