"""The MobileNets: MobileNetV2, the default backbone, and both sizes of MobileNetV3.

References
----------
Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
arXiv:1801.04381

Howard et al., "Searching for MobileNetV3", ICCV 2019. arXiv:1905.02244
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mri_tumor.backbones.applications import application, no_scaling, scale_to_one
from mri_tumor.backbones.spec import BackboneSpec
from mri_tumor.errors import WeightsError

if TYPE_CHECKING:
    import keras

BRAIN_MRI = "brain-mri"
_PACKAGED = Path(__file__).parents[1] / "weights" / BRAIN_MRI / "model.keras"


def _build_v2(
    input_shape: tuple[int, int, int], weights: str | None, *, alpha: float = 1.0
) -> keras.Model:
    build = application("MobileNetV2", alpha=alpha)
    if weights != BRAIN_MRI:
        return build(input_shape, weights)
    if alpha != 1.0:
        message = (
            f"The {BRAIN_MRI!r} weights are of MobileNetV2 with alpha=1.0. Received: "
            f"alpha={alpha}. Choose other weights: ['imagenet', None]."
        )
        raise WeightsError(message)
    import keras

    model = build(input_shape, None)
    # The convolutions fit any input size; the backbone is the one nested model.
    trained = keras.saving.load_model(_PACKAGED, compile=False, safe_mode=True)
    nested = next(layer for layer in trained.layers if isinstance(layer, keras.Model))
    model.set_weights(nested.get_weights())
    return model


MOBILENET_V2 = BackboneSpec(
    name="MobileNetV2",
    builder=_build_v2,
    scaling=scale_to_one,
    # From `block_13_expand` on: the last four inverted residuals and the last convolution.
    # The usual 20 layers reached 95.9% of the validation part, these 96.8%.
    finetune_layers=38,
    weights=(BRAIN_MRI, "imagenet"),
    # Width of all layers; ImageNet weights exist for 0.35, 0.5, 0.75, 1.0, 1.3 and 1.4.
    options={"alpha": 1.0},
)

MOBILENET_V3_SMALL = BackboneSpec(
    name="MobileNetV3Small",
    builder=application("MobileNetV3Small", include_preprocessing=True),
    scaling=no_scaling,
    # From `expanded_conv_10_expand` on: the last inverted residual, with its squeeze and
    # excitation, and the last convolution.
    finetune_layers=18,
    # ImageNet weights exist for 0.75 and 1.0.
    options={"alpha": 1.0},
)

MOBILENET_V3_LARGE = BackboneSpec(
    name="MobileNetV3Large",
    builder=application("MobileNetV3Large", include_preprocessing=True),
    scaling=no_scaling,
    # From `expanded_conv_14_expand` on: the last inverted residual, with its squeeze and
    # excitation, and the last convolution.
    finetune_layers=18,
    options={"alpha": 1.0},
)
