"""Let the tests of this folder import `scan_samples`, as the fuzzers do."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
