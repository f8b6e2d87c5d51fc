"""Change training images in ways that leave their label true.

Each variant of an image is drawn from its own seed, so it does not depend on batch, order,
worker or run: a cache of activations and a resumed training see the same pixels. Geometry is
one affine map and one interpolation, not four in a row that blur the image four times.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.images.preprocessing import Geometry, Preprocessing, preprocess
from mri_tumor.training.affine import affine
from mri_tumor.training.robust import Robust

if TYPE_CHECKING:
    from numpy.typing import NDArray

Policy = Callable[["NDArray[np.uint8]", Preprocessing, np.random.Generator], "NDArray[np.uint8]"]


@dataclass(frozen=True, kw_only=True)
class Affine:
    """Largest changes of a random affine map; each is drawn evenly from minus to plus it.

    Parameters
    ----------
    rotation : float, default=15.0
        Degrees.
    shift : float, default=0.08
        Fraction of the side, along each axis.
    shear : float, default=0.08
        Tangent of the angle.
    zoom : float, default=0.15
        Relative change of scale.
    flip : bool, default=True
        Mirror left and right in half of the variants.
    """

    rotation: float = 15.0
    shift: float = 0.08
    shear: float = 0.08
    zoom: float = 0.15
    flip: bool = True

    def __call__(
        self,
        values: NDArray[np.uint8],
        settings: Preprocessing,  # noqa: ARG002
        rng: np.random.Generator,
    ) -> NDArray[np.uint8]:
        """Return a changed copy of a grey uint8 image of shape (h, w)."""
        angle = math.radians(rng.uniform(-self.rotation, self.rotation))
        scale = 1 + rng.uniform(-self.zoom, self.zoom)
        shear = rng.uniform(-self.shear, self.shear)
        shift = rng.uniform(-self.shift, self.shift, size=2)
        mirror = -1.0 if self.flip and rng.random() < 0.5 else 1.0
        return affine(
            values, angle=angle, scale=(scale * mirror, scale), shear=shear, shift=tuple(shift)
        )


@dataclass(frozen=True)
class AfterPreprocessing:
    """A policy that changes the prepared image.

    Parameters
    ----------
    change : callable
        ``change(values, settings, rng)`` on grey uint8 of shape (size, size).
    """

    change: Policy

    def __call__(
        self, image: NDArray[np.uint8], settings: Preprocessing, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Return the changed model input, uint8 of shape (size, size, 3)."""
        values, _ = preprocess(image, settings)
        changed = self.change(values[:, :, 0], settings, rng)
        return np.repeat(changed[:, :, None], 3, axis=2)


@dataclass(frozen=True)
class EitherOf:
    """A policy that draws one of several for each variant, each as often.

    Parameters
    ----------
    policies : tuple of callable
        The policies.
    """

    policies: tuple[Policy, ...]

    def __call__(
        self, image: NDArray[np.uint8], settings: Preprocessing, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Return the changed model input, uint8 of shape (size, size, 3)."""
        return self.policies[int(rng.integers(len(self.policies)))](image, settings, rng)


_STANDARD = AfterPreprocessing(Affine())
AUGMENTATIONS: dict[str, Policy] = {
    "mixed": EitherOf((_STANDARD, Robust())),
    "standard": _STANDARD,
    "robust": Robust(),
}


def get_augmentation(policy: str | Policy | None) -> Policy | None:
    """Return an augmentation by name.

    Parameters
    ----------
    policy : str, callable or None
        A name in `AUGMENTATIONS`; None for no augmentation; or a callable that takes a
        decoded grey image, the `Preprocessing` and a NumPy generator, and returns the
        model's input, uint8 of shape (size, size, 3).

    Returns
    -------
    callable or None
        The policy.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    if policy is None or callable(policy):
        return policy
    if policy not in AUGMENTATIONS:
        message = f"There is no augmentation {policy!r}. Known: {', '.join(AUGMENTATIONS)}, None."
        raise ParameterError(message)
    return AUGMENTATIONS[policy]


@dataclass(frozen=True)
class Variants:
    """Prepares the variants of images for training.

    Parameters
    ----------
    settings : Preprocessing
        How images are prepared.
    policy : callable or None
        How variants after the first are changed; variant 0 is the image itself.
    seed : int
        Seed of all draws.
    """

    settings: Preprocessing
    policy: Policy | None
    seed: int = 0

    def __call__(
        self, image: NDArray[np.uint8], index: int, variant: int = 0
    ) -> tuple[NDArray[np.uint8], Geometry]:
        """Return the model input of one variant of the image at a position."""
        if variant == 0 or self.policy is None:
            return preprocess(image, self.settings)
        rng = np.random.default_rng([self.seed, index, variant])
        # No map is carried back to an augmented image, so its whole frame stands for it.
        whole = Geometry(
            height=image.shape[0], width=image.shape[1], top=0, left=0,
            bottom=image.shape[0], right=image.shape[1], size=self.settings.size,
        )  # fmt: skip
        return np.asarray(self.policy(image, self.settings, rng)), whole

    def describe(self) -> dict[str, Any]:
        """Return what the variants depend on besides the images."""
        return {
            "preprocessing": self.settings.to_dict(),
            "policy": repr(self.policy),
            "seed": self.seed,
        }
