"""Turn a saved model into the formats of other runtimes, and check that it answers the same."""

from mri_tumor.export.agreement import Agreement
from mri_tumor.export.exporting import Exported, export_model
from mri_tumor.export.formats import FORMATS
from mri_tumor.export.runtime_file import add_runtime, runtime_files

__all__ = ["FORMATS", "Agreement", "Exported", "add_runtime", "export_model", "runtime_files"]
