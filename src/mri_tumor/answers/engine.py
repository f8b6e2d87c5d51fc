"""Answer for images: the one way from files to rows, whatever runs the network.

The classifier puts TensorFlow behind it, the runtime LiteRT; what they say is the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mri_tumor.assessment import Assessment, failed, refused
from mri_tumor.images.collection import ImageCollection, as_collection, batches_ahead
from mri_tumor.images.stream import Picture, as_pictures
from mri_tumor.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mri_tumor.answers.rule import DecisionRule
    from mri_tumor.images.collection import PreparedBatch
    from mri_tumor.images.preprocessing import Preprocessing

Network = Callable[["NDArray[np.uint8]"], "Sequence[NDArray[Any]]"]


def gate_features(maps: NDArray[Any], *more: NDArray[Any]) -> NDArray[Any]:
    """Return what a gate looks at among a network's outputs, shape (n, channels)."""
    return more[0][:, 0] if more else maps.mean(axis=(1, 2))


class Refuses(Protocol):
    """Says of images why they are no brain MRI slices."""

    @property
    def n_features(self) -> int:
        """Number of features of the network that it looks at; 0 if it needs none."""

    def describe(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what it looks at in an image as it was read."""

    def check_described(
        self, descriptions: NDArray[np.float32], features: NDArray[np.float32]
    ) -> Sequence[str]:
        """Return a reason in words for each image, empty where it is accepted."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A batch of images with what the network says of them.

    Parameters
    ----------
    batch : PreparedBatch
        The images, and those that could not be read.
    rows : ndarray of float64, shape (n, n_classes)
        Calibrated probabilities of the images that could be read.
    reasons : tuple of str, length n
        Why an image is no brain MRI slice; empty where it is accepted.
    """

    batch: PreparedBatch
    rows: NDArray[np.float64]
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Answering:
    """A network with all that is needed to answer for images.

    Parameters
    ----------
    network : callable
        From uint8 of shape (n, size, size, 3) to the outputs, shape (n, 1) or (n, n_classes),
        the feature map, shape (n, rows, columns, channels), and the features of the gate's
        layer, shape (n, 1, channels), if it has one.
    preprocessing : Preprocessing
        How images are prepared.
    rule : DecisionRule
        How outputs become answers.
    gate : object, optional
        With ``check(images, features)``; nothing is refused without it.
    batch_size : int, default=32
        Images per call of the network.
    show_progress : bool, default=False
        Show a bar on the terminal.
    """

    network: Network
    preprocessing: Preprocessing
    rule: DecisionRule
    gate: Refuses | None = None
    batch_size: int = 32
    show_progress: bool = False

    def batches(self, images: ImageCollection, *, gated: bool = True) -> Iterator[Answered]:
        """Yield the images in batches, with what the network says of them."""
        readers = (partial(images.read, i) for i in range(len(images)))
        yield from self.stream(readers, count=len(images), gated=gated)

    def stream(
        self,
        readers: Iterable[Callable[[], NDArray[np.uint8]]],
        *,
        count: int | None = None,
        gated: bool = True,
    ) -> Iterator[Answered]:
        """Do the same for images that come one after the other; positions count from 0."""
        n_classes = len(self.rule.classes)
        gate = self.gate if gated else None
        ahead = batches_ahead(
            readers,
            self.preprocessing,
            batch_size=self.batch_size,
            describe=gate.describe if gate else None,
        )
        with progress_bar("Predicting", count, show=self.show_progress) as advance:
            for batch in ahead:
                rows, reasons = np.zeros((0, n_classes)), ("",) * len(batch.indices)
                if batch.indices:
                    outputs, maps, *more = self.network(batch.values)
                    rows = self.rule.probabilities(outputs)
                    if gate is not None:
                        features = gate_features(maps, *more)
                        described = np.stack(batch.descriptions)
                        reasons = tuple(gate.check_described(described, features))
                yield Answered(batch=batch, rows=rows, reasons=reasons)
                advance(len(batch.indices) + len(batch.errors), "")

    def probabilities(self, X: Any) -> NDArray[np.float64]:
        """Return calibrated probabilities, shape (n_images, n_classes); nothing is refused.

        Raises
        ------
        ImageError
            If an image cannot be read.
        """
        images = as_collection(X)
        rows = np.full((len(images), len(self.rule.classes)), np.nan)
        for answered in self.batches(images, gated=False):
            for error in answered.batch.errors.values():
                raise error
            rows[list(answered.batch.indices)] = answered.rows
        return rows

    def answers(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return probabilities, and which images were refused or could not be read.

        Returns
        -------
        rows : ndarray of float64, shape (n_images, n_classes)
            NaN where an image could not be read.
        without_answer : ndarray of bool, shape (n_images,)
            Refused, or unreadable.
        """
        images = as_collection(X)
        rows = np.full((len(images), len(self.rule.classes)), np.nan)
        without = np.zeros(len(images), dtype=bool)
        for answered in self.batches(images):
            places = list(answered.batch.indices)
            rows[places] = answered.rows
            without[places] = [bool(reason) for reason in answered.reasons]
            without[list(answered.batch.errors)] = True
        return rows, without

    def assess_each(self, X: Any) -> Iterator[Assessment]:
        """Yield an assessment of each image in order, in bounded memory; never raise for one.

        An iterator of paths, arrays or pictures is taken as it comes, without its length.
        """
        pictures, count = as_pictures(X)
        for _, assessment in self.assess_stream(pictures, count=count):
            yield assessment

    def assess_stream(
        self, pictures: Iterable[Picture], *, count: int | None = None
    ) -> Iterator[tuple[Picture, Assessment]]:
        """Yield each picture with its assessment, in order; at most two batches are ahead."""
        waiting: deque[Picture] = deque()

        def readers() -> Iterator[Callable[[], NDArray[np.uint8]]]:
            for picture in pictures:
                waiting.append(picture)
                yield picture.decode

        for answered in self.stream(readers(), count=count):
            answers: dict[int, Callable[[str], Assessment]] = {
                i: partial(failed, error=error) for i, error in answered.batch.errors.items()
            }
            for i, row, reason in zip(
                answered.batch.indices, answered.rows, answered.reasons, strict=True
            ):
                answers[i] = (
                    partial(refused, reason=reason)
                    if reason
                    else partial(self.rule.assess, row=row)
                )
            for i in sorted(answers):
                picture = waiting.popleft()
                yield picture, answers[i](picture.name)
