"""Fixtures that several test files share."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real images; skips where they are missing."""
    if not (REAL_DATA / "brain-tumor-mri" / "Training").is_dir():
        pytest.skip("the real images (../shared/data) are not on this machine")
    return REAL_DATA
