"""Well-known networks that users ask for: ResNet50V2, DenseNet121, ConvNeXtTiny, Xception.

References
----------
He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016. arXiv:1603.05027

Huang et al., "Densely Connected Convolutional Networks", CVPR 2017. arXiv:1608.06993

Liu et al., "A ConvNet for the 2020s", CVPR 2022. arXiv:2201.03545

Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017.
arXiv:1610.02357
"""

from __future__ import annotations

from mri_tumor.backbones.applications import (
    application,
    no_scaling,
    scale_to_one,
    standardise,
)
from mri_tumor.backbones.spec import BackboneSpec

RESNET50_V2 = BackboneSpec(
    name="ResNet50V2",
    builder=application("ResNet50V2"),
    scaling=scale_to_one,
    # From `conv5_block3_preact_bn` on: the last residual block, 4.5 of 23.6 million weights.
    finetune_layers=13,
)

DENSENET121 = BackboneSpec(
    name="DenseNet121",
    builder=application("DenseNet121"),
    scaling=standardise,
    # From `conv5_block13_0_bn` on: the last four of its 58 small blocks.
    finetune_layers=30,
)

CONVNEXT_TINY = BackboneSpec(
    name="ConvNeXtTiny",
    builder=application("ConvNeXtTiny", include_preprocessing=True),
    scaling=no_scaling,
    # From `convnext_tiny_stage_3_block_2_depthwise_conv` on: the last block and the last
    # normalisation.
    finetune_layers=8,
)

XCEPTION = BackboneSpec(
    name="Xception",
    builder=application("Xception"),
    scaling=scale_to_one,
    input_size=299,
    # From `block14_sepconv1` on: both separable convolutions after the last residual.
    finetune_layers=6,
)
