"""Classify brain MRI slices by transfer learning, with honest uncertainty.

Research software, not a medical device.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
