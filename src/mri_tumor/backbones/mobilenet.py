"""MobileNetV2, the default backbone.

References
----------
Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
arXiv:1801.04381
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.backbones.spec import BackboneSpec

if TYPE_CHECKING:
    import keras

BRAIN_MRI = "brain-mri"
_PACKAGED = Path(__file__).parents[1] / "weights" / BRAIN_MRI / "model.keras"


def _build(
    input_shape: tuple[int, int, int], weights: str | None, *, alpha: float = 1.0
) -> keras.Model:
    import keras

    ours = weights == BRAIN_MRI
    model = keras.applications.MobileNetV2(
        input_shape=input_shape,
        alpha=alpha,
        include_top=False,
        weights=None if ours else weights,
    )
    if ours:
        # The convolutions fit any input size; the backbone is the one nested model.
        trained = keras.saving.load_model(_PACKAGED, compile=False, safe_mode=True)
        nested = next(layer for layer in trained.layers if isinstance(layer, keras.Model))
        model.set_weights(nested.get_weights())
    return model


def _scaling() -> list[Any]:
    import keras

    return [keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")]


MOBILENET_V2 = BackboneSpec(
    name="MobileNetV2",
    builder=_build,
    scaling=_scaling,
    input_size=224,
    # From `block_15_expand` on: the last inverted-residual blocks and the last convolution.
    finetune_layers=20,
    weights=(BRAIN_MRI, "imagenet"),
)
