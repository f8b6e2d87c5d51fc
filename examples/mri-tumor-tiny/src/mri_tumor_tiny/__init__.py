"""A tiny backbone for mri-tumor: the smallest plugin there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mri_tumor import BackboneSpec

if TYPE_CHECKING:
    import keras


def build(input_shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    """Build three convolutions, a sixteenth of the input's side at their end."""
    # Imported here, so that asking which backbones there are stays quick.
    import keras

    image = values = keras.Input(input_shape)
    for number, filters in enumerate((8, 16, 32)):
        stride = 4 if number == 0 else 2
        values = keras.layers.Conv2D(
            filters, 5, strides=stride, padding="same", activation="relu", name=f"conv_{number}"
        )(values)
    network = keras.Model(image, values, name="tiny_cnn")
    if weights is not None:
        network.load_weights(weights)
    return network


def scaling() -> list[keras.layers.Layer]:
    """Take RGB in [0, 255] to [0, 1]."""
    import keras

    return [keras.layers.Rescaling(1 / 255, name="scaling")]


TINY_CNN = BackboneSpec(
    name="TinyCNN",
    builder=build,
    scaling=scaling,
    input_size=64,
    # The last convolution.
    finetune_layers=1,
    # It brings none: users start from None, or from a file of their own.
    weights=(),
)
