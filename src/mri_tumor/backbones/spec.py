"""What the library needs to know of a backbone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import BackboneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import keras

# Parts a backbone's name from its options: "MobileNetV2:alpha=0.5". No shell minds these signs.
SEPARATOR = ":"


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
        (n, rows, columns, channels). `weights` is one of the names below, None, or a path.
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
        Keyword arguments for `builder` with their defaults, such as ``{"alpha": 1.0}``.
    package : str, default=""
        Distribution that provides it; filled in by the registry for plugins.

    Raises
    ------
    BackboneError
        If the name is empty or a number is not positive.

    Examples
    --------
    >>> spec = BackboneSpec(name="Mine", builder=print, scaling=list, options={"alpha": 1.0})
    >>> spec.with_options(alpha=0.5).name
    'Mine:alpha=0.5'
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
            value = getattr(self, number)
            if not isinstance(value, int) or value < 1:
                message = (
                    f"BackboneSpec {self.name!r}: {number} must be a whole number of at least 1. "
                    f"Received: {value!r}"
                )
                raise BackboneError(message)
        for function in ("builder", "scaling"):
            if not callable(getattr(self, function)):
                message = (
                    f"BackboneSpec {self.name!r}: {function} must be callable. "
                    f"Received: {getattr(self, function)!r}"
                )
                raise BackboneError(message)

    def with_options(self, **changes: Any) -> BackboneSpec:
        """Return the same backbone with other options, which its name then tells.

        Parameters
        ----------
        **changes
            Values for some of `options`; the rest stay as they are.

        Returns
        -------
        BackboneSpec
            `get_backbone` finds it by its name, so that a saved model does.

        Raises
        ------
        BackboneError
            If there is no such option.
        """
        wrong = sorted(set(changes) - set(self.options))
        if wrong:
            known = ", ".join(self.options) or "it has none"
            message = (
                f"The backbone {self.name!r} has no option {', '.join(wrong)}. Options: {known}."
            )
            raise BackboneError(message)
        base, *before = self.name.split(SEPARATOR)
        told = {part.partition("=")[0] for part in before} | set(changes)
        options = {**self.options, **changes}
        parts = [f"{key}={value}" for key, value in options.items() if key in told]
        return replace(self, name=SEPARATOR.join([base, *parts]), options=options)
