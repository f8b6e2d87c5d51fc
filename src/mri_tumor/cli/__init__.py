"""The command line, `mri-tumor`."""

from mri_tumor.cli.main import main

__all__ = ["main"]
