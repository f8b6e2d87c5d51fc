"""The EfficientNets, B0 to B7: a plugin like any other.

References
----------
Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019. arXiv:1905.11946
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.backbones.applications import IMAGENET_STD, application, no_scaling
from mri_tumor.backbones.spec import BackboneSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras


def _builder(name: str) -> Callable[..., keras.Model]:
    build = application(name)

    def build_with_its_scale(
        input_shape: tuple[int, int, int], weights: str | None, **options: Any
    ) -> keras.Model:
        network = build(input_shape, weights, **options)
        if weights not in {None, "imagenet"}:
            _complete_scale(network)
        return network

    return build_with_its_scale


def _complete_scale(network: keras.Model) -> None:
    """Give weights from a file the scale that Keras gives its own.

    ImageNet's weights hold the deviation of the pixels where their layer wants its square, and
    for ``weights="imagenet"`` alone Keras makes up for it, by a layer more. Squaring what the
    file brought does the same in the graph that Keras builds for any other file.
    """
    import keras

    norm = next(k for k in network.layers if isinstance(k, keras.layers.Normalization))
    mean, variance, *rest = norm.get_weights()
    if np.allclose(variance, IMAGENET_STD, atol=1e-3):
        norm.set_weights([mean, variance**2, *rest])
        norm.finalize_state()


def _spec(name: str, *, input_size: int, finetune_layers: int) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        builder=_builder(name),
        # RGB in [0, 255] is scaled inside.
        scaling=no_scaling,
        input_size=input_size,
        finetune_layers=finetune_layers,
    )


# B0's last stage is one block, without a residual: from `block7a_expand_conv` on, that and the
# last convolution.
EFFICIENTNET_B0 = _spec("EfficientNetB0", input_size=224, finetune_layers=16)
# The others' last stages are longer; their last block has a residual, of two layers: from
# `block7b_expand_conv` on (`block7c` for B5 and B6, `block7d` for B7), and the last convolution.
EFFICIENTNET_B1 = _spec("EfficientNetB1", input_size=240, finetune_layers=18)
EFFICIENTNET_B2 = _spec("EfficientNetB2", input_size=260, finetune_layers=18)
EFFICIENTNET_B3 = _spec("EfficientNetB3", input_size=300, finetune_layers=18)
EFFICIENTNET_B4 = _spec("EfficientNetB4", input_size=380, finetune_layers=18)
EFFICIENTNET_B5 = _spec("EfficientNetB5", input_size=456, finetune_layers=18)
EFFICIENTNET_B6 = _spec("EfficientNetB6", input_size=528, finetune_layers=18)
EFFICIENTNET_B7 = _spec("EfficientNetB7", input_size=600, finetune_layers=18)
