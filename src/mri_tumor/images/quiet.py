"""Keep what third-party decoders say about a file off the screen and out of the logs.

Their warnings and log lines may quote a file's contents, hence a patient's name.
"""

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_DECODERS = r"(PIL|pydicom|pylibjpeg|libjpeg|openjpeg|nibabel)\b"
_PACKAGES = ("PIL", "pydicom", "pylibjpeg", "openjpeg", "nibabel")
# Named here since they come into being while the first file is read.
_LOGGERS = (
    "pydicom", "pydicom.pixels.decoders.base", "pydicom.pixels.utils", "openjpeg.utils",
    "nibabel.global", "PIL.TiffImagePlugin", "PIL.PngImagePlugin", "PIL.ImageFile",
)  # fmt: skip

_lock = threading.Lock()
_reading = threading.local()
_shared: "list[warnings.catch_warnings[None]]" = []
_readers = 0
_known_loggers = 0


def _drop_while_reading(_record: logging.LogRecord) -> bool:
    return not getattr(_reading, "depth", 0)


def _filter_loggers() -> None:
    """Put the filter on every logger of a decoder; a logger's children do not inherit it."""
    global _known_loggers  # noqa: PLW0603 - loggers are process-wide
    existing = logging.root.manager.loggerDict
    if len(existing) == _known_loggers:
        return
    found = [name for name in tuple(existing) if name.partition(".")[0] in _PACKAGES]
    for name in {*_LOGGERS, *found}:
        # Adding a filter that is there already changes nothing.
        logging.getLogger(name).addFilter(_drop_while_reading)
    _known_loggers = len(existing)


def _ignore_decoders() -> "warnings.catch_warnings[None]":
    caught = warnings.catch_warnings()
    caught.__enter__()
    warnings.filterwarnings("ignore", module=_DECODERS)
    return caught


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silence the decoders' warnings and log lines within the block.

    Warning filters belong to the whole process before Python 3.14, and restoring them from
    one thread undoes another thread's. So the first reader in sets them and the last one out
    restores them; warnings of other packages pass throughout.
    """
    global _readers  # noqa: PLW0603 - filters are process-wide, and so is their count
    _reading.depth = getattr(_reading, "depth", 0) + 1
    _filter_loggers()
    try:
        if getattr(sys.flags, "context_aware_warnings", False):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=_DECODERS)
                yield
            return
        with _lock:
            _readers += 1
            if _readers == 1:
                _shared.append(_ignore_decoders())
        try:
            yield
        finally:
            with _lock:
                _readers -= 1
                if _readers == 0:
                    _shared.pop().__exit__(None, None, None)
    finally:
        _reading.depth -= 1
