"""Say where in an image the evidence for a class lies, and how far to trust that.

Research software, not a medical device: a map shows what moved the model, not where a tumor is.
Importing this loads neither TensorFlow nor Keras; explaining a Keras model does.
"""

import lazy_loader as _lazy

# The runtime needs the options alone, unless it is asked for a heatmap.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
