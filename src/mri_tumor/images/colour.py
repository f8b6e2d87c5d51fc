"""Turn colour and transparency into grey."""

from PIL import Image, ImageChops


def luma(image: Image.Image) -> Image.Image:
    """Turn a picture with colour or transparency into grey, laid on black.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode that converts to RGBA, at 8 bits.

    Returns
    -------
    PIL.Image.Image
        Mode "L": luma (ITU-R BT.601) times opacity.
    """
    if image.mode == "RGB":
        return image.convert("L")
    colour = image if image.mode == "RGBA" else image.convert("RGBA")
    # Less memory than compositing in colour, which needs three more copies.
    return ImageChops.multiply(colour.convert("L"), colour.getchannel("A"))
