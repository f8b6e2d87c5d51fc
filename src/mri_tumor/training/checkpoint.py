"""What a training leaves on the disk after each epoch, so that a killed one can go on.

A folder holds ``settings.json`` (what the training was begun with) and ``state.npz`` (arrays and
JSON, no pickle). Each is written under another name, forced to the disk and renamed: whatever
moment the process is killed at, what has its final name is whole.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

from mri_tumor.errors import CheckpointError
from mri_tumor.files import only_one, write_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

_SETTINGS, _STATE, _LOCK = "settings.json", "state.npz", "lock"
# Settings whose values are hashes say nothing to a person.
_IN_WORDS = {
    "images": "the images or their labels are others",
    "start": "the model that it starts from is another",
}


@dataclass(frozen=True, kw_only=True)
class State:
    """A training as it was at the end of an epoch.

    Parameters
    ----------
    stage : int
        Index of the stage.
    epoch : int
        Index of its last finished epoch, from 0.
    best : float
        Lowest calibrated validation loss of the stage, or that before it.
    best_epoch : int
        Epoch that had it, -1 if none was better than the start.
    history : dict of str to list
        All rows so far.
    variables, optimizer, best_weights : list of ndarray
        Variables of what learns, seeds of the dropout among them; those of the optimizer;
        weights of the best epoch.
    """

    stage: int
    epoch: int
    best: float
    best_epoch: int
    history: dict[str, list[Any]]
    variables: list[NDArray[Any]] = field(repr=False)
    optimizer: list[NDArray[Any]] = field(repr=False)
    best_weights: list[NDArray[Any]] = field(repr=False)


_LISTS = ("variables", "optimizer", "best_weights")
_PLAIN = ("stage", "epoch", "best", "best_epoch", "history")


def read_state(stream: IO[bytes]) -> State:
    """Read a state as `Checkpoint.keep` writes it.

    Parameters
    ----------
    stream : binary file object
        The content of the file.

    Returns
    -------
    State
        What was kept.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile
        If it is damaged.
    """
    with np.load(stream, allow_pickle=False) as content:
        plain = json.loads(bytes(content["about"]).decode())
        lists: dict[str, Any] = {
            name: [content[f"{name}-{i}"] for i in range(plain["counts"][name])] for name in _LISTS
        }
    return State(**{name: plain[name] for name in _PLAIN}, **lists)


class Checkpoint:
    """The folder of one training, held by one process. Use it in a ``with`` statement.

    Parameters
    ----------
    folder : str or path
        Made if it is missing.
    resume : bool, default=True
        Go on with what is there; False refuses to start where a training was left.

    Raises
    ------
    CheckpointError
        If another process trains there, or a training was left there and `resume` is False, or
        the folder holds something else.

    Examples
    --------
    >>> with Checkpoint("work") as kept:  # pass it to `fit`, save the model, then remove it
    ...     kept.begin({"seed": 0})
    ...     kept.has_progress
    ...     kept.remove()
    False
    """

    def __init__(self, folder: str | os.PathLike[str], *, resume: bool = True) -> None:
        self.folder, self.resume = Path(folder), resume
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        known = {_SETTINGS, _STATE, _LOCK}
        if self.folder.exists():
            others = [
                path.name
                for path in (self.folder.iterdir() if self.folder.is_dir() else [self.folder])
                if path.name not in known and not path.name.startswith(".")
            ]
            if others:
                message = (
                    f"{self.folder}: holds {others[0]!r}, which no training put there. Choose "
                    "another folder for the checkpoint."
                )
                raise CheckpointError(message)
        with contextlib.ExitStack() as stack:
            self.folder.mkdir(parents=True, exist_ok=True)
            stack.callback(self._remove_if_empty)
            stack.enter_context(only_one(self.folder / _LOCK, what=str(self.folder)))
            if not self.resume and self.has_progress:
                message = (
                    f"{self.folder}: a training was left here unfinished. Pass --resume to go on "
                    "with it, or remove the folder."
                )
                raise CheckpointError(message)
            if not self.has_progress:
                (self.folder / _SETTINGS).unlink(missing_ok=True)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_details: object) -> None:
        self._stack.close()

    @property
    def has_progress(self) -> bool:
        """Whether there is anything that took time to make."""
        return (self.folder / _STATE).exists()

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Say what the training is, and refuse if another one was begun here.

        Parameters
        ----------
        settings : mapping
            What JSON can hold: everything that decides how the training ends.

        Raises
        ------
        CheckpointError
            If what is here was begun with others; the message names the first that differs.
        """
        file = self.folder / _SETTINGS
        now = json.loads(json.dumps(dict(settings)))
        if not file.exists():
            (self.folder / _STATE).unlink(missing_ok=True)
            content = json.dumps(now, indent=2).encode()
            write_whole(file, lambda stream: stream.write(content))
            return
        try:
            then = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise self._damaged(file) from None
        for name in {**then, **now}:
            if then.get(name) != now.get(name):
                why = _IN_WORDS.get(
                    name, f"{name} was {then.get(name)!r}, and is {now.get(name)!r}"
                )
                message = (
                    f"{self.folder}: an unfinished training of other settings is here ({why}). "
                    "Go on with the same settings, or remove the folder."
                )
                raise CheckpointError(message)

    def state(self) -> State | None:
        """Return the training as it was left, None if no epoch was finished.

        Raises
        ------
        CheckpointError
            If the file is damaged, as no kill leaves it.
        """
        file = self.folder / _STATE
        if not file.exists():
            return None
        try:
            # NumPy leaves a file that it opened itself open where it turns out to be damaged.
            with file.open("rb") as stream:
                return read_state(stream)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            raise self._damaged(file) from None

    def content(self) -> bytes | None:
        """Return what `read_state` reads, for a process that cannot open the folder.

        Raises
        ------
        CheckpointError
            If it is damaged.
        """
        return None if self.state() is None else (self.folder / _STATE).read_bytes()

    def keep(self, state: State) -> None:
        """Put a state in the place of the last one.

        Raises
        ------
        OSError
            If the disk is full; the last state is still there.
        """
        lists = {name: getattr(state, name) for name in _LISTS}
        about = {
            **{name: getattr(state, name) for name in _PLAIN},
            "counts": {name: len(values) for name, values in lists.items()},
        }
        arrays = {f"{name}-{i}": v for name, values in lists.items() for i, v in enumerate(values)}
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
        write_whole(self.folder / _STATE, lambda file: np.savez(file, **arrays))

    def remove(self) -> None:
        """Remove all that was kept: the training has ended, and its model is safe."""
        # The settings last: a state without them would be taken for that of any training.
        for name in (_STATE, _SETTINGS):
            (self.folder / name).unlink(missing_ok=True)

    def _remove_if_empty(self) -> None:
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _damaged(self, file: Path) -> CheckpointError:
        return CheckpointError(
            f"{file}: is damaged. Remove {self.folder} and train from the beginning."
        )


@contextlib.contextmanager
def opened_checkpoint(
    checkpoint: str | os.PathLike[str] | Checkpoint | None,
) -> Iterator[Checkpoint | None]:
    """Open a checkpoint given by its folder, and remove it when the block has ended well.

    Parameters
    ----------
    checkpoint : path, Checkpoint or None
        One that the caller opened is the caller's to remove.

    Yields
    ------
    Checkpoint or None
        None where there is to be none.
    """
    if checkpoint is None or isinstance(checkpoint, Checkpoint):
        yield checkpoint
        return
    with Checkpoint(checkpoint) as opened:
        yield opened
        opened.remove()
