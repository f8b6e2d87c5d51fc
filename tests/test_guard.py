"""The guard of the recorded ratios."""

import json
import subprocess
import sys
from pathlib import Path

GUARD = Path(__file__).resolve().parents[1] / "benchmarks/guard.py"


def run(tmp_path, recorded, new):
    files = []
    for name, ratio in (("recorded", recorded), ("new", new)):
        result = {"figures": {"folder": {} if ratio is None else {"times as quick": ratio}}}
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(result))
    done = subprocess.run(
        [sys.executable, GUARD, *files], check=False, capture_output=True, text=True
    )
    return done.returncode, done.stdout


def test_a_ratio_may_fall_by_less_than_a_quarter(tmp_path):
    assert run(tmp_path, 8.0, 6.1) == (0, "1 ratios hold\n")
    code, said = run(tmp_path, 8.0, 5.9)
    assert code == 1
    assert said == "figures / folder: 8.0 before, 5.9 now\n"


def test_a_ratio_that_is_missing_has_fallen(tmp_path):
    assert run(tmp_path, 8.0, None) == (1, "figures / folder: 8.0 before, not measured now\n")
