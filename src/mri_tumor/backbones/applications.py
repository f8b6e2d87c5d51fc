"""What the backbones from `keras.applications` share: how they are built and scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

# Mean and standard deviation of ImageNet's pixels in [0, 1], red, green and blue, as all who
# train on it take them (Krizhevsky et al. 2012, and torchvision since).
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def application(name: str, **settings: Any) -> Callable[..., keras.Model]:
    """Return a builder of a network from `keras.applications`, without its top.

    Parameters
    ----------
    name : str
        Its name there, such as ``"ResNet50V2"``.
    **settings
        Arguments that stay the same.

    Returns
    -------
    callable
        As `BackboneSpec` takes it. Keras is imported when it is called.
    """

    def build(
        input_shape: tuple[int, int, int], weights: str | None, **options: Any
    ) -> keras.Model:
        import keras

        network: Callable[..., keras.Model] = getattr(keras.applications, name)
        return network(
            input_shape=input_shape, include_top=False, weights=weights, **settings, **options
        )

    return build


def scale_to_one() -> list[keras.layers.Layer]:
    """Return the layer from [0, 255] to [-1, 1], as Google's networks want it."""
    import keras

    return [keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")]


def standardise() -> list[keras.layers.Layer]:
    """Return the layer from [0, 255] to ImageNet's mean 0 and deviation 1, for each colour."""
    import keras

    pairs = list(zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))
    return [
        keras.layers.Rescaling(
            [1 / (255 * deviation) for _, deviation in pairs],
            offset=[-mean / deviation for mean, deviation in pairs],
            name="scaling",
        )
    ]


def no_scaling() -> list[keras.layers.Layer]:
    """Return no layer: the network scales inside, from RGB in [0, 255]."""
    return []
