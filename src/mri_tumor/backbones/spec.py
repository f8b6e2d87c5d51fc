"""What the library needs to know of a backbone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import BackboneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import keras


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """A convolutional network without its classification layers, as plain data.

    Parameters
    ----------
    name : str
        Name to ask for it by, such as ``"MobileNetV2"``.
    builder : callable
        ``builder(input_shape, weights, **options) -> keras.Model``: builds the network for
        images of `input_shape` (height, width, 3) whose output is a feature map of shape
        (n, rows, columns, channels). `weights` is ``"imagenet"``, None, or a path.
    scaling : callable
        ``scaling() -> list of keras.layers.Layer``: layers that take RGB in [0, 255] to what
        the network was trained on; an empty list where it scales inside. No ``Lambda``.
    input_size : int, default=224
        Side of the images that the weights were trained on, in pixels.
    finetune_layers : int, default=20
        How many of its last layers `TumorClassifier.finetune` opens unless told otherwise.
    weights : tuple of str, default=("imagenet",)
        Names of weights that `builder` can provide. None and paths always work.
    options : mapping, default={}
        Keyword arguments for `builder`, such as ``{"alpha": 0.5}``.
    package : str, default=""
        Distribution that provides it; filled in by the registry for plugins.

    Raises
    ------
    BackboneError
        If the name is empty or a number is not positive.
    """

    name: str
    builder: Callable[..., keras.Model]
    scaling: Callable[[], list[Any]]
    input_size: int = 224
    finetune_layers: int = 20
    weights: tuple[str, ...] = ("imagenet",)
    options: Mapping[str, Any] = field(default_factory=dict)
    package: str = ""

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise BackboneError(
                f"BackboneSpec: name must be a non-empty string. Received: {self.name!r}"
            )
        for number in ("input_size", "finetune_layers"):
            if getattr(self, number) < 1:
                message = (
                    f"BackboneSpec {self.name!r}: {number} must be at least 1. "
                    f"Received: {getattr(self, number)!r}"
                )
                raise BackboneError(message)
        for function in ("builder", "scaling"):
            if not callable(getattr(self, function)):
                message = (
                    f"BackboneSpec {self.name!r}: {function} must be callable. "
                    f"Received: {getattr(self, function)!r}"
                )
                raise BackboneError(message)
