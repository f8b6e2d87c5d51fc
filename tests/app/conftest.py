"""Let the tests of this folder import `app_samples`, and the DICOM files of the readers' tests."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "images")]
