"""Let a training reuse the memory that it freed, instead of asking the system for it anew."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_MIB = 2**20
_KEEPING = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * _MIB}
# Where glibc's thresholds, which rise by themselves, end once a large block was freed.
_USUAL = {
    _MMAP_MAX: 65536,
    _MMAP_THRESHOLD: 32 * _MIB,
    _TRIM_THRESHOLD: 64 * _MIB,
    _TOP_PAD: 128 * 1024,
}


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory while the block runs, and give it back at its end.

    glibc gives blocks of more than 32 MiB back to the system as soon as they are freed. A training
    step frees and allocates such tensors again and again, and each time the system has to find and
    clear every page of them: up to half of the processors' time in a virtual machine. Where
    `mallopt` is missing, or the user has set glibc's allocator by ``MALLOC_*`` or
    ``GLIBC_TUNABLES``, nothing is done.
    """
    libc = None if _is_set_by_user() else _find_libc()
    if libc is None:
        yield
        return
    for option, value in _KEEPING.items():
        libc.mallopt(option, value)
    try:
        yield
    finally:
        for option, value in _USUAL.items():
            libc.mallopt(option, value)
        libc.malloc_trim(0)


def _is_set_by_user() -> bool:
    return any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ)


def _find_libc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
