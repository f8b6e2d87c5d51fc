"""Keep what a long command has done, and say how to go on when it is stopped."""

from __future__ import annotations

import contextlib
import glob
import shutil
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mri_tumor.training.checkpoint import Checkpoint


@contextlib.contextmanager
def unfinished(output: Path, *, resume: bool) -> Iterator[Checkpoint]:
    """Keep a training beside its output until the block has ended well.

    Parameters
    ----------
    output : Path
        Where the model will be; what is kept lies beside it in ``OUTPUT.training``.
    resume : bool
        Go on with what was left there; False refuses to start over it.

    Yields
    ------
    Checkpoint
        For `TumorClassifier.fit`.

    Raises
    ------
    CheckpointError
        If it is in use, or holds what is not to be gone on with.
    """
    from mri_tumor.errors import CheckpointError
    from mri_tumor.training.checkpoint import Checkpoint

    target = output.absolute()
    with Checkpoint(target.with_name(target.name + ".training"), resume=resume) as kept:
        # A bundle whose writing was killed; nobody else writes to this output now.
        for scratch in target.parent.glob(f".{glob.escape(target.name)}-????????"):
            shutil.rmtree(scratch, ignore_errors=True)
        try:
            yield kept
        except BaseException as error:
            # What is kept of other settings is not to be gone on with.
            if kept.has_progress and not isinstance(error, CheckpointError):
                click.echo("mri-tumor: the same command with --resume goes on.", err=True)
            raise
        kept.remove()
