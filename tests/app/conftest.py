"""Let the tests of this folder import `app_samples`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
