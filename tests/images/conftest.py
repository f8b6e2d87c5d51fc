"""Let the tests of this folder import `scan_samples` and the fuzzer that uses it too."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "benchmarks")]
