"""The EfficientNetV2s, B0 to B3 and S: a plugin like any other.

References
----------
Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", ICML 2021.
arXiv:2104.00298
"""

from __future__ import annotations

from mri_tumor.backbones.applications import application, no_scaling
from mri_tumor.backbones.spec import BackboneSpec


def _spec(name: str, *, input_size: int) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        builder=application(name, include_preprocessing=True),
        scaling=no_scaling,
        input_size=input_size,
        # The last block of the last stage, from its `expand_conv` on (`block6h` in B0, `6i` in
        # B1, `6j` in B2, `6l` in B3, `6o` in S), and the last convolution.
        finetune_layers=18,
    )


EFFICIENTNET_V2_B0 = _spec("EfficientNetV2B0", input_size=224)
EFFICIENTNET_V2_B1 = _spec("EfficientNetV2B1", input_size=240)
EFFICIENTNET_V2_B2 = _spec("EfficientNetV2B2", input_size=260)
EFFICIENTNET_V2_B3 = _spec("EfficientNetV2B3", input_size=300)
EFFICIENTNET_V2_S = _spec("EfficientNetV2S", input_size=384)
