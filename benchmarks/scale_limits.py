"""Work out from measured figures what a large archive costs on one machine, on ten, on a hundred.

    python benchmarks/scale_limits.py --images 100000000 --processors 16 --json limits.json

reads what `benchmarks/scale_scoring.py scaling` and `archive` measured, as `benchmarks/record.py` kept
it, and multiplies. Nothing here is a measurement. Assumed: each further processor adds what the first
one does; the storage gives what is asked of it; nothing is lost between machines.

What one process does for all (listing the inputs, committing parts) does not get quicker with more
machines. The time of a run is that of the slowest of the three.

Research software, not a medical device.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PART = 1000


def recorded(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["results"]


def cost(machines, options, rate, kept):
    """Return what so many machines need for all images."""
    processors = machines * options.processors
    hours = {
        "scoring": options.images / (processors * rate) / 3600,
        "listing": options.images / kept["listed_per_cpu_second"] / 3600,
        "committing": options.images / PART / kept["parts_committed_per_second"] / 3600,
    }
    slowest = max(hours, key=hours.get)
    total = hours[slowest]
    per_second = options.images / total / 3600
    return {
        "machines": machines,
        "processors": processors,
        "hours": total,
        "days": total / 24,
        "hours_of": hours,
        "bottleneck": slowest,
        "images_per_second": per_second,
        "read_mb_per_second": per_second * options.kilobytes / 1000,
        "memory_gb_per_machine": options.processors * options.actor_mb / 1000,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=100_000_000)
    parser.add_argument("--processors", type=int, default=16, help="of one machine")
    parser.add_argument("--kilobytes", type=float, default=100, help="of one image file")
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    scaling, archive = recorded("scale_scaling"), recorded("scale_archive")
    run = max((r for r in scaling["runs"] if r["engine"] == "ray"), key=lambda r: r["workers"])
    # Only the actors: what Ray itself needs at the start weighs nothing in a long run.
    rate = run["files"] / run["cpu_seconds_of_actors"]
    options.actor_mb = run["peak_mb"]["actor"]
    kept = archive["compared"]
    result = {
        "images": options.images,
        "processors_per_machine": options.processors,
        "images_per_processor_second": rate,
        "output_gb": options.images * kept["bytes_written_per_image"] / 1e9,
        "manifest_mb": options.images / PART * kept["manifest_bytes_per_part"] / 1e6,
        "input_tb": options.images * options.kilobytes / 1e9,
        "costs": [cost(machines, options, rate, kept) for machines in options.machines],
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
