"""Image files and arrays: decoded to grey pixels, or one clear error."""

from mri_tumor.images.arrays import as_grey_image, as_grey_images
from mri_tumor.images.reading import read_image

__all__ = ["as_grey_image", "as_grey_images", "read_image"]
