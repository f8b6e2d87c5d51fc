from .arrays import as_grey_image as as_grey_image
from .arrays import as_grey_images as as_grey_images
from .listing import list_images as list_images
from .reading import is_volume as is_volume
from .reading import read_image as read_image
from .reading import read_volume as read_volume
from .volume import Volume as Volume
