"""Which backbone to take: train several on one split, and measure what they know and cost."""

import lazy_loader as _lazy

# The process that measures memory imports this package, and must stay small.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
