"""Measured in a process of its own: what answering takes without TensorFlow.

Its one argument is a request in JSON, its one line of output the answer.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 32
_MOST_RUNS = 1000


def main() -> None:
    """Answer one request, and end."""
    request = json.loads(sys.argv[1])
    print(json.dumps(measure(**request)))  # noqa: T201


def measure(*, model: str, image: str, threads: list[int], seconds: float) -> dict[str, Any]:
    """Measure the peak memory of a first answer, then latency and throughput.

    Parameters
    ----------
    model : str
        Folder of a saved model with its LiteRT file.
    image : str
        An image file.
    threads : list of int
        Numbers of threads to measure with.
    seconds : float
        How long to measure each.

    Returns
    -------
    dict
        ``peak_memory_bytes`` (None where the system does not tell), ``latency_ms`` of one
        prepared image and ``images_per_second`` in batches of 32, by number of threads, and
        ``frameworks`` that were loaded.
    """
    from mri_tumor import runtime

    # What a user's process does: load the model, read a file, answer.
    answering = runtime.load(model, engine="litert")
    answering.predict_proba([image])
    peak = peak_memory()
    import numpy as np

    from mri_tumor.images.preprocessing import preprocess
    from mri_tumor.images.reading import read_image
    from mri_tumor.runtime.engines import open_engine

    values, _ = preprocess(read_image(image), answering.preprocessing_)
    one = values[None].astype(np.float32)
    many = np.repeat(one, BATCH, axis=0)
    file = Path(model) / "model.tflite"
    size = answering.preprocessing_.size
    latency, throughput = {}, {}
    for count in threads:
        network = open_engine("litert", file, size=size, threads=count, batch_size=1)
        latency[str(count)] = 1e3 * _median(lambda run=network: run(one), seconds)  # type: ignore[misc]
        network = open_engine("litert", file, size=size, threads=count, batch_size=BATCH)
        throughput[str(count)] = BATCH / _median(lambda run=network: run(many), seconds)  # type: ignore[misc]
    return {
        "peak_memory_bytes": peak,
        "latency_ms": latency,
        "images_per_second": throughput,
        "frameworks": [name for name in ("tensorflow", "keras") if name in sys.modules],
    }


def peak_memory() -> int | None:
    """Return the largest memory that this process has held so far, in bytes; None if unknown.

    What `resource` says of a process includes the one that it was forked from.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return None if found is None else int(found[1]) * 1024


def _median(run: Callable[[], Any], seconds: float) -> float:
    """Return the median seconds of a run, after one that warms up."""
    run()
    times: list[float] = []
    while not times or (sum(times) < seconds and len(times) < _MOST_RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
