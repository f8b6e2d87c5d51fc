"""The EfficientNet family, a plugin like any other.

References
----------
Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019. arXiv:1905.11946
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mri_tumor.backbones.spec import BackboneSpec

if TYPE_CHECKING:
    import keras


def _build_b0(input_shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    import keras

    return keras.applications.EfficientNetB0(
        input_shape=input_shape, include_top=False, weights=weights
    )


def _no_scaling() -> list[Any]:
    # Keras' EfficientNet rescales and normalises inside, from RGB in [0, 255].
    return []


EFFICIENTNET_B0 = BackboneSpec(
    name="EfficientNetB0",
    builder=_build_b0,
    scaling=_no_scaling,
    input_size=224,
    # From `block7a_expand_conv` on: the last block and the last convolution.
    finetune_layers=16,
)
