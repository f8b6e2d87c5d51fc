"""What TensorFlow says of lost workers and missing memory, in the library's words."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mri_tumor.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def memory_in_words() -> Iterator[None]:
    """Turn TensorFlow's way of saying that memory has run out into Python's."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.ResourceExhaustedError:
        message = "out of memory while training. Use a smaller batch_size or input_size."
        raise MemoryError(message) from None


@contextlib.contextmanager
def losses_in_words() -> Iterator[None]:
    """Turn TensorFlow's way of saying that a worker is gone into the library's.

    Raises
    ------
    WorkerError
        If another worker was lost.
    """
    import tensorflow as tf

    lost = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
    try:
        yield
    except lost as error:
        message = (
            "strategy: another worker was lost. What was learnt up to the last finished epoch is "
            "in the chief's checkpoint, if it has one. Start all workers again to go on."
        )
        raise WorkerError(message) from error
