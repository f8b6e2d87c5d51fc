"""Figures of a model on labelled images, with intervals that respect groups."""

import lazy_loader as _lazy

# Answering without TensorFlow needs a few of these modules, and its start should be quick.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
