"""MobileNetV2, the default backbone.

References
----------
Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
arXiv:1801.04381
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mri_tumor.backbones.spec import BackboneSpec

if TYPE_CHECKING:
    import keras


def _build(
    input_shape: tuple[int, int, int], weights: str | None, *, alpha: float = 1.0
) -> keras.Model:
    import keras

    return keras.applications.MobileNetV2(
        input_shape=input_shape, alpha=alpha, include_top=False, weights=weights
    )


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
    weights=("brain-mri", "imagenet"),
)
