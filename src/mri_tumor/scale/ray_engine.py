"""Score parts in actors of Ray Data, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import (
    BundleError,
    CheckpointError,
    ImageError,
    MissingExtraError,
    MRITumorError,
    WorkerError,
)
from mri_tumor.framework import silent_stderr
from mri_tumor.scale.manifest import unfinished
from mri_tumor.scale.parts import Part, find_parts
from mri_tumor.scale.scorer import Scored, Scorer, Scoring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Parts and rows are all that Ray carries, some megabytes; images stay with the actors.
_STORE_BYTES = 256 * 2**20


class _Actor:
    """Scores the parts that Ray gives it; one that was killed is started again by Ray."""

    def __init__(self, scoring: Scoring) -> None:
        self.scorer, self.problem = None, None
        try:
            self.scorer = Scorer(scoring, threads=1)
        except MRITumorError as error:
            self.problem = _told(error)

    def __call__(self, table: Any) -> Any:
        """Turn a table of one part into one of its rows' Parquet file."""
        import pyarrow as pa

        (text,), (problem,) = (table[name].to_pylist() for name in ("part", "problem"))
        problem = problem or self.problem
        content, rows, counts, worker = b"", 0, "{}", 0
        if problem is None and self.scorer is not None:
            made = self.scorer(Part.from_json(text))
            content, rows, worker = made.content, made.rows, made.worker
            counts = json.dumps(made.counts)
        return pa.table(
            {
                "part": [text],
                "problem": pa.array([problem], pa.string()),
                "content": pa.array([content], pa.large_binary()),
                "rows": [rows],
                "counts": [counts],
                "worker": [worker],
            }
        )


def _told(error: MRITumorError) -> str:
    """Write an error down: Ray would show it as a traceback from another process."""
    return f"{type(error).__name__} {error}"


def score_by_ray(
    scoring: Scoring,
    names: Sequence[str],
    part_size: int,
    finished: Mapping[int, str],
    *,
    workers: int | None = None,
) -> Iterator[Scored]:
    """Yield finished parts as they come, in any order.

    One task lists the inputs, and yields a part at a time no faster than the actors take them.
    Each actor has one processor and the model; what a killed actor had begun is done again by
    another. Only the caller writes.

    Parameters
    ----------
    scoring : Scoring
        What decides the rows.
    names : sequence of str
        Inputs, as every machine sees them.
    part_size : int
        Files of a part.
    finished : mapping of int to str
        Parts that are left out.
    workers : int, optional
        Actors; by default one for each processor.

    Yields
    ------
    Scored
        A part.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    WorkerError
        If Ray cannot be started, or its cluster not be reached.
    BundleError, CheckpointError, ImageError
        As `Scorer`, `unfinished` and `find_parts`.
    """
    with _ray(workers) as ray:
        from ray.data import DataContext

        context = DataContext.get_current()
        context.enable_progress_bars = False
        # A block holds one part: whatever is larger than a byte is cut off from the next.
        context.target_max_block_size = 1
        context.target_min_block_size = 1
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        parts = ray.data.read_datasource(
            _source(ray, names, part_size, dict(finished)), num_cpus=0, override_num_blocks=1
        )
        made = parts.map_batches(
            _Actor,
            fn_constructor_args=(scoring,),
            batch_size=1,
            batch_format="pyarrow",
            # At least one: an archive of one part gives no more than one anything to do.
            concurrency=(1, count, count),
            num_cpus=1,
        )
        for table in made.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=0):
            yield _unpacked(table.to_pylist()[0])


def _unpacked(row: dict[str, Any]) -> Scored:
    if row["problem"] is not None:
        kind, _, message = row["problem"].partition(" ")
        known = {one.__name__: one for one in (BundleError, CheckpointError, MissingExtraError)}
        raise known.get(kind, ImageError)(message)
    return Scored(
        part=Part.from_json(row["part"]),
        content=row["content"],
        rows=row["rows"],
        counts=Counter(json.loads(row["counts"])),
        worker=row["worker"],
    )


def _source(ray: Any, names: Sequence[str], part_size: int, finished: dict[int, str]) -> Any:
    """Return the source of the parts: one task that yields them one after the other."""
    import pyarrow as pa
    from ray.data import Datasource
    from ray.data.block import BlockMetadata
    from ray.data.datasource import ReadTask

    # Of a large run it is too large to travel within the task.
    known = ray.put(finished)
    kinds = pa.schema([("part", pa.string()), ("problem", pa.string())])

    def listing() -> Iterator[Any]:
        import ray

        def block(part: str, problem: str | None) -> Any:
            return pa.table({"part": [part], "problem": [problem]}, schema=kinds)

        try:
            for part in unfinished(find_parts(names, size=part_size), ray.get(known)):
                yield block(part.to_json(), None)
        except MRITumorError as error:
            yield block("", _told(error))

    class Parts(Datasource):
        def __init__(self) -> None:
            pass

        def get_read_tasks(self, *_arguments: Any, **_options: Any) -> list[Any]:
            unknown = BlockMetadata(
                num_rows=None, size_bytes=None, exec_stats=None, input_files=None
            )
            return [ReadTask(listing, unknown)]

        def estimate_inmemory_data_size(self) -> None:
            return None

    return Parts()


@contextlib.contextmanager
def _ray(workers: int | None) -> Iterator[Any]:
    """Give Ray, connected to a cluster or started here; what was started here is ended."""
    # Ray sends statistics of use to its makers unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # It warns of what cannot happen here: what its actors are made with stays with this process.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        message = "engine: 'ray' needs Ray Data: pip install 'mri-tumor[ray]'."
        raise MissingExtraError(message) from error
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if not os.environ.get("RAY_ADDRESS"):
        quiet |= {
            "num_cpus": workers or _processors(),
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
        }
    _start(ray, quiet)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, settings: dict[str, Any], *, tries: int = 3) -> None:
    """Start Ray, or connect to it; on a busy machine it may not be up in the time that Ray waits."""
    try:
        with silent_stderr():
            ray.init(**settings)
    # Ray raises what it comes upon, and a plain Exception where it waited too long.
    except Exception as error:
        ray.shutdown()
        if tries > 1 and "timed out" in str(error):
            _start(ray, settings, tries=tries - 1)
            return
        why = (str(error).splitlines() or [type(error).__name__])[0]
        place = os.environ.get("RAY_ADDRESS") or "this machine"
        message = f"engine: Ray cannot be reached or started on {place} ({why})"
        raise WorkerError(message) from error


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
