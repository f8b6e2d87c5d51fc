"""Image files and arrays: decoded to grey pixels, or one clear error."""

import lazy_loader as _lazy

# The command line lists files without NumPy, and its help should be quick.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
