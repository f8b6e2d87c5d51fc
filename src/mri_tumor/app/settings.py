"""What the app is started with; every session reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class AppSettings:
    """Settings that hold for all sessions of a server.

    Parameters
    ----------
    models : tuple of str, default=("brain-mri",)
        Folders or names of models to choose from.
    own_model : bool, default=True
        Whether the folder of another model may be typed in. Only where nobody but this
        computer's user reaches the app: a path typed elsewhere would be looked up here.
    max_upload_mb : int, default=200
        Most megabytes of one file.
    """

    models: tuple[str, ...] = ("brain-mri",)
    own_model: bool = True
    max_upload_mb: int = 200

    @property
    def max_bytes(self) -> int:
        """Most bytes of one file."""
        return self.max_upload_mb * 2**20


_current = [AppSettings()]


def settings() -> AppSettings:
    """Return the settings of this server."""
    return _current[0]


def configure(**changes: Any) -> AppSettings:
    """Change settings; called once, before the server starts."""
    _current[0] = replace(_current[0], **changes)
    return _current[0]
