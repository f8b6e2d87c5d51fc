"""The group of commands, and how errors become messages and exit codes."""

from __future__ import annotations

import errno
import os
import sys

import click

from mri_tumor import __version__
from mri_tumor.cli.app import app
from mri_tumor.cli.audit import audit
from mri_tumor.cli.backbones import backbones
from mri_tumor.cli.benchmark import benchmark
from mri_tumor.cli.cache import cache
from mri_tumor.cli.compare import compare
from mri_tumor.cli.demo import demo
from mri_tumor.cli.evaluate import evaluate
from mri_tumor.cli.explain import explain
from mri_tumor.cli.export import export
from mri_tumor.cli.helping import SHELLS, Commands, show_completion
from mri_tumor.cli.info import info
from mri_tumor.cli.leak import leak
from mri_tumor.cli.predict import predict
from mri_tumor.cli.train import train
from mri_tumor.errors import MRITumorError

FAILED = 1
INTERRUPTED = 130


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 99},
)
@click.version_option(__version__, "-V", "--version", prog_name="mri-tumor")
@click.option(
    "--completion",
    type=click.Choice(SHELLS),
    is_eager=True,
    expose_value=False,
    callback=show_completion,
    help="Write a script that completes commands and options in this shell, and exit.",
)
def commands() -> None:
    """Classify brain MRI slices. Research software, not a medical device.

    \b
    Exit codes: 0 finished, whatever the rows say; 1 failed; 2 wrong usage;
    3 bad rows or leaks under --strict.

    \b
    Examples:
      mri-tumor demo
      mri-tumor predict scan.png
      mri-tumor train scans/ --output my-model
      mri-tumor app
    """


for command in (
    demo,
    train,
    evaluate,
    compare,
    leak,
    benchmark,
    predict,
    explain,
    app,
    export,
    audit,
    backbones,
    cache,
    info,
):
    commands.add_command(command)


def main() -> None:
    """Run the command line; errors of the library become one line and exit code 1."""
    try:
        code = commands.main(standalone_mode=False, prog_name="mri-tumor")
    except click.exceptions.Abort:
        _fail("stopped.", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _fail("stopped.", INTERRUPTED)
    except MRITumorError as error:
        _fail(str(error), FAILED)
    except ModuleNotFoundError as error:
        # An install for predicting alone lacks the training packages.
        if error.name is None or error.name.split(".")[0] == "mri_tumor":
            raise
        _fail(
            f"this needs the package {error.name}, which is not installed. Install all that "
            "training needs with `pip install mri-tumor`.",
            FAILED,
        )
    except BrokenPipeError:
        # The reader went away (`| head`): nothing is left to say, nor to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except MemoryError:
        _fail("out of memory. Use a smaller --batch-size, or fewer images at a time.", FAILED)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _fail(
                f"the disk is full ({error.filename or 'while writing'}). Free some space.", FAILED
            )
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}.", FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    click.echo(f"mri-tumor: {message}", err=True)
    sys.exit(code)
