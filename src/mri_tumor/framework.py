"""Load TensorFlow and Keras without the page that they write to standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send what native code writes to standard error nowhere, while the block runs."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def load_quietly() -> None:
    """Import TensorFlow and Keras, and let TensorFlow look for devices, silently.

    For the command line: its standard error belongs to the user's messages. TensorFlow's
    first log lines come before any setting of its own applies.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silent_stderr():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_logical_devices()
