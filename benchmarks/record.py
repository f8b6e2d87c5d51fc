"""Keep what a measurement printed, so that the figures in the docs can be held to it.

    python benchmarks/record.py leak.json --name leak --command "mri-tumor leak DATA --json"

writes `benchmarks/results/leak.json`: the results, the command that printed them, the machine and
the versions of what computed. Run it on the machine that measured. Paths of files and long lists of
single images are left out. `judge.txt`, the printed tables of `scripts/brain_mri/judge.py`, is read
as well as JSON. Several files go under the names of their stems.

`tests/test_claims.py` compares the docs with these files: after a new measurement record it, run
`python -m pytest tests/test_claims.py`, and correct the figures that it names.
"""

import argparse
import datetime as dt
import json
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "mri-tumor",
    "keras",
    "tensorflow",
    "ai-edge-litert",
    "numpy",
    "scikit-learn",
    "pillow",
)
# Lists of single images name files, and say nothing that the summary does not.
LEFT_OUT = {
    "images",
    "pairs",
    "conflicts",
    "files",
    "problem_files",
    "left_out",
    "model",
    "report",
}
LONGEST = 40
FIGURES = {"sens": "sensitivity", "spec": "specificity"}


def judged(text):
    """Read the tables that judge.py prints: model, part, look, figure."""
    found, model = {}, None
    for line in text.splitlines():
        if head := re.match(r"(\S+): threshold (\S+), T (\S+)$", line):
            name, threshold, temperature = head.groups()
            model = found.setdefault(name, {})
            model |= {"threshold": float(threshold), "temperature": float(temperature)}
        elif row := re.match(
            r"  (\w+) +(\w+) +n= *(\d+) (.*) at 0\.5: (\S+) (\S+) auc=(\S+)", line
        ):
            part, look, n, figures, sensitivity, specificity, auc = row.groups()
            values = {key: float(value) for key, value in re.findall(r"(\w+)=(\S+)", figures)}
            model.setdefault(part, {})[look] = {
                "n_images": int(n),
                "four": values["four"],
                "sensitivity": values["sens"],
                "specificity": values["spec"],
                "at_half": {"sensitivity": float(sensitivity), "specificity": float(specificity)},
                "auc": float(auc),
            }
            for name in {"ece", "rare", "erased"} & set(values):
                model[part][look][name] = values[name]
            for name in {"rare_n", "erased_n"} & set(values):
                model[part][look][name] = int(values[name])
        elif line.strip().startswith("95%:"):
            ends = re.findall(r"(\w+) ([\d.]+)-([\d.]+)", line)
            model[part][look]["intervals"] = {
                FIGURES.get(what, what): [float(low), float(high)] for what, low, high in ends
            }
    return found


def without_files(value):
    """Leave out paths, and lists of single images."""
    if isinstance(value, dict):
        kept = {
            key: without_files(one)
            for key, one in value.items()
            if isinstance(one, (int, float)) or key not in LEFT_OUT
        }
        return {key: one for key, one in kept.items() if one is not None}
    if isinstance(value, list):
        return [without_files(one) for one in value] if len(value) <= LONGEST else None
    if isinstance(value, str) and value.startswith("/"):
        return None
    return round(value, 6) if isinstance(value, float) else value


def versions():
    """Return the versions of what computed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine():
    """Return what the machine is, without its name."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": cpu[1] if cpu else platform.machine(),
        "processors": os.cpu_count(),
        "memory_gib": round(memory),
    }


def read(path):
    """Read results from JSON, or from a printed table."""
    text = path.read_text(encoding="utf-8")
    return without_files(json.loads(text) if path.suffix == ".json" else judged(text))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("files", nargs="+", type=Path, help="what the measurement wrote")
    parser.add_argument("--name", required=True, help="name of the record")
    parser.add_argument("--command", required=True, help="command that gives the results again")
    parser.add_argument("--date", default=dt.date.today().isoformat(), help="when measured")
    options = parser.parse_args()
    found = {path.stem: read(path) for path in options.files}
    content = {
        "command": options.command,
        "date": options.date,
        "machine": machine(),
        "versions": versions(),
        "results": found if len(found) > 1 else next(iter(found.values())),
    }
    RESULTS.mkdir(exist_ok=True)
    place = RESULTS / f"{options.name}.json"
    place.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(place)


if __name__ == "__main__":
    main()
