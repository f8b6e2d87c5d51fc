"""Image files and arrays: decoded to grey pixels, or one clear error."""

from mri_tumor.images.arrays import as_grey_image, as_grey_images
from mri_tumor.images.listing import list_images
from mri_tumor.images.reading import is_volume, read_image, read_volume
from mri_tumor.images.volume import Volume

__all__ = [
    "Volume",
    "as_grey_image",
    "as_grey_images",
    "is_volume",
    "list_images",
    "read_image",
    "read_volume",
]
