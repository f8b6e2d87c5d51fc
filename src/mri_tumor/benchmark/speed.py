"""Time the finished models against each other, in processes of their own."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.benchmark.cells import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mri_tumor.benchmark.folder import BenchmarkFolder
    from mri_tumor.benchmark.records import CellResult

# All models are timed in turn, round by round, so that a busy machine slows all alike.
N_ROUNDS = 3
SECONDS = 1.0
_CODE = "from mri_tumor.benchmark.probe import main; main()"
_FIGURES = ("latency_ms", "images_per_second")

Ends = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What answering takes with one backbone.

    Parameters
    ----------
    latency_ms : mapping of int to tuple of float
        Milliseconds of one image by number of threads: median, least and most of the rounds.
    images_per_second : mapping of int to tuple of float
        The same of images per second in batches of 32.
    peak_memory_bytes : int or None
        Largest memory of a process that loads the model and answers one file.
    problem : str
        Why there is nothing.
    """

    latency_ms: Mapping[int, Ends] = field(default_factory=dict)
    images_per_second: Mapping[int, Ends] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    problem: str = ""


def measure_speeds(
    folder: BenchmarkFolder,
    results: Sequence[CellResult],
    image: str,
    threads: Sequence[int],
    *,
    say: Callable[[str], Any],
) -> dict[str, Any]:
    """Time one model of each backbone, unless all were timed before.

    Parameters
    ----------
    folder : BenchmarkFolder
        Where the models are, and where the speeds are kept.
    results : sequence of CellResult
        Cells; of each backbone the first that has a LiteRT file is timed.
    image : str
        Image file to answer.
    threads : sequence of int
        Numbers of threads.
    say : callable
        Told what is done.

    Returns
    -------
    dict
        ``machine`` and ``backbones``: raw figures of each round, by name and start.
    """
    chosen: dict[str, CellResult] = {}
    for one in results:
        if one.runtime_bytes is not None:
            chosen.setdefault(speed_key(one), one)
    kept = folder.read_speed()
    known = kept.get("backbones", {})
    wanted = {str(count) for count in threads}
    if kept and all(_covers(known.get(name), wanted) for name in chosen):
        return kept
    if not chosen:
        return {}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    problems: dict[str, str] = {}
    load = _load()
    for number in range(N_ROUNDS):
        say(f"timing, round {number + 1} of {N_ROUNDS}")
        for name, one in chosen.items():
            if name in problems:
                continue
            try:
                found[name].append(_probe(folder.path / "cells" / one.key / MODEL, image, threads))
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                problems[name] = f"could not be timed: {_last_line(error)}"
                say(f"{one.backbone}: {problems[name]}")
    speed = {
        "machine": {
            "processor": _processor(),
            "processors": os.cpu_count(),
            "load_average_before": load,
            "ai-edge-litert": version("ai-edge-litert"),
        },
        "rounds": N_ROUNDS,
        "seconds": SECONDS,
        "backbones": {
            name: {"problem": problems[name]} if name in problems else {"rounds": found[name]}
            for name in chosen
        },
    }
    folder.keep_speed(speed)
    return speed


def speed_key(result: CellResult) -> str:
    """Return what speeds are kept by: the seed decides no speed."""
    return result.key.rpartition("-seed")[0]


def read_speed(entry: Mapping[str, Any] | None) -> Speed | None:
    """Return the figures of one backbone over the rounds, None if it was not timed."""
    if entry is None:
        return None
    if entry.get("problem"):
        return Speed(problem=str(entry["problem"]))
    rounds = entry["rounds"]
    ends: dict[str, dict[int, Ends]] = {}
    for figure in _FIGURES:
        ends[figure] = {}
        for count in rounds[0][figure]:
            values = [float(one[figure][count]) for one in rounds]
            ends[figure][int(count)] = (statistics.median(values), min(values), max(values))
    peaks = [one["peak_memory_bytes"] for one in rounds if one["peak_memory_bytes"] is not None]
    return Speed(
        latency_ms=ends["latency_ms"],
        images_per_second=ends["images_per_second"],
        peak_memory_bytes=max(peaks, default=None),
    )


def _covers(entry: Mapping[str, Any] | None, threads: set[str]) -> bool:
    if not entry or not entry.get("rounds"):
        return False  # what could not be timed is tried again
    return all(threads <= set(one[figure]) for one in entry["rounds"] for figure in _FIGURES)


def _probe(model: Path, image: str, threads: Sequence[int]) -> dict[str, Any]:
    request = {
        "model": str(model), "image": image, "threads": list(threads), "seconds": SECONDS,
    }  # fmt: skip
    done = subprocess.run(  # noqa: S603  # this library's own code
        # -P: a folder of that name at the place where this was started is not meant.
        [sys.executable, "-P", "-c", _CODE, json.dumps(request)],
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _last_line(error: Exception) -> str:
    told = getattr(error, "stderr", None) or str(error)
    return (str(told).strip().splitlines() or [type(error).__name__])[-1]


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # not on Windows
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
