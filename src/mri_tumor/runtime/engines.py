"""What runs a network, by name, and which file of a saved model it reads."""

from __future__ import annotations

import importlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import BundleError, MissingExtraError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    _Run = Callable[[NDArray[np.float32]], list[NDArray[Any]]]

# One image gains nothing from more threads than this (MobileNetV2), and whole folders are read
# by others meanwhile.
_MOST_THREADS = 4
# Fewer images for each thread than this are not worth copies of the network.
_MANY = 4
# Each copy holds the weights once more.
_MOST_COPIES = 8


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """An engine, before it is loaded.

    Parameters
    ----------
    module : str
        Module of this package with ``open_network``.
    formats : tuple of str
        Formats of network files that it reads, the preferred one first.
    package : str
        What must be installed.
    extra : str
        Extra of this library that installs it; empty where the library itself does.
    batch_size : int
        Images per call at which it is quickest for many.
    in_lanes : bool, default=False
        Answer for many images by as many copies of the network as there are threads, at most 8,
        each with an image of its own.
    """

    module: str
    formats: tuple[str, ...]
    package: str
    extra: str
    batch_size: int
    in_lanes: bool = False


# LiteRT and ONNX Runtime are quickest one image at a time: activations stay in the processor's
# cache. Threads that share one image wait for the slowest at every layer, and some are reading
# files meanwhile, so many images go side by side. OpenVINO spreads a batch over the threads.
ENGINES: Mapping[str, EngineSpec] = MappingProxyType(
    {
        "litert": EngineSpec(
            module="litert",
            formats=("litert",),
            package="ai-edge-litert",
            extra="",
            batch_size=1,
            in_lanes=True,
        ),
        "litert-int8": EngineSpec(
            module="litert",
            formats=("litert-int8",),
            package="ai-edge-litert",
            extra="",
            batch_size=1,
            in_lanes=True,
        ),
        "onnx": EngineSpec(
            module="onnx",
            formats=("onnx",),
            package="onnxruntime",
            extra="onnx",
            batch_size=1,
            in_lanes=True,
        ),
        "onnx-int8": EngineSpec(
            module="onnx",
            formats=("onnx-int8",),
            package="onnxruntime",
            extra="onnx",
            batch_size=1,
            in_lanes=True,
        ),
        "openvino": EngineSpec(
            module="openvino",
            formats=("openvino", "onnx", "litert"),
            package="openvino",
            extra="openvino",
            batch_size=8,
        ),
        "openvino-int8": EngineSpec(
            module="openvino",
            formats=("onnx-int8",),
            package="openvino",
            extra="openvino",
            batch_size=8,
        ),
    }
)
"""Every engine by its name, the default first."""


def open_engine(
    name: str,
    path: Path,
    *,
    size: int,
    threads: int | None = None,
    batch_size: int | None = None,
) -> Callable[[NDArray[Any]], tuple[NDArray[Any], ...]]:
    """Make a network ready to answer.

    Parameters
    ----------
    name : str
        One of `ENGINES`.
    path : Path
        File of the network.
    size : int
        Side of its input in pixels.
    threads : int, optional
        Threads to compute with; by default those of this process, at most 4.
    batch_size : int, optional
        Images per call where there are as many; by default what is quickest with the engine.

    Returns
    -------
    callable
        From images in [0, 255], any number type, shape (n, size, size, 3), to the outputs,
        shape (n, n_outputs), the feature map, shape (n, rows, columns, channels), and the
        features of the gate's layer, shape (n, 1, channels), where the network gives them.
        Several threads may call it.

    Raises
    ------
    BundleError
        If the file is no such network.
    MissingExtraError
        If the engine's package is not installed.
    ParameterError
        If the engine is unknown, or a number below 1.
    """
    spec = engine_spec(name)
    counts: tuple[tuple[str, object], ...] = (("threads", threads), ("batch_size", batch_size))
    for argument, value in counts:
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            message = f"{argument}: must be a whole number, 1 or more. Received: {value!r}"
            raise ParameterError(message)

    def open_network(**options: int) -> _Run:
        try:
            module = importlib.import_module(f"mri_tumor.runtime.{spec.module}")
            run: _Run = module.open_network(path, size=size, **options)
        except ImportError as error:
            raise missing_extra(f"the engine {name!r}", spec.package, spec.extra) from error
        except (ValueError, RuntimeError, OSError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            message = (
                f"{path}: {spec.package} cannot load this network ({first}). Export it again."
            )
            raise BundleError(message) from error
        return run

    return _Engine(
        path,
        open_network,
        threads=threads or default_threads(),
        rows=batch_size or spec.batch_size,
        in_lanes=spec.in_lanes,
    )


class _Engine:
    """Answer for one image at once, and for many in the way that is quickest with the engine.

    Networks for many images are opened when many come first.
    """

    def __init__(
        self,
        path: Path,
        open_network: Callable[..., _Run],
        *,
        threads: int,
        rows: int,
        in_lanes: bool,
    ) -> None:
        self._path, self._open, self._rows, self._threads = path, open_network, rows, threads
        self._lanes = min(threads, _MOST_COPIES) if in_lanes and rows == 1 else 1
        self._single: _Run = open_network(threads=threads, batch_size=1)
        self._batched: _Run | None = None
        self._copies: SimpleQueue[_Run] = SimpleQueue()
        # A network keeps its input and its answer in itself, so threads take turns.
        self._turn = threading.Lock()

    def __call__(self, values: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        with self._turn:
            if self._lanes > 1 and len(values) >= _MANY * self._lanes:
                parts = self._side_by_side(values)
            else:
                parts = self._in_turn(values)
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def _in_turn(self, values: NDArray[Any]) -> list[tuple[NDArray[Any], ...]]:
        rows, parts = self._rows, []
        whole = len(values) // rows * rows if rows > 1 else 0
        if whole:
            run = self._batched or self._open(threads=self._threads, batch_size=rows)
            self._batched = run
            parts = [self._run(run, values[at : at + rows]) for at in range(0, whole, rows)]
        return parts + [self._run(self._single, one[None]) for one in values[whole:]]

    def _side_by_side(self, values: NDArray[Any]) -> list[tuple[NDArray[Any], ...]]:
        while self._copies.qsize() < self._lanes:
            self._copies.put(self._open(threads=self._threads // self._lanes, batch_size=1))

        def run(one: NDArray[Any]) -> tuple[NDArray[Any], ...]:
            copy = self._copies.get()
            try:
                return self._run(copy, one[None])
            finally:
                self._copies.put(copy)

        with ThreadPoolExecutor(self._lanes, thread_name_prefix="mri-tumor-network") as pool:
            return list(pool.map(run, values))

    def _run(self, run: _Run, values: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        found = {array.ndim: array for array in run(np.asarray(values, dtype=np.float32))}
        if set(found) not in ({2, 4}, {2, 3, 4}):
            message = (
                f"{self._path}: a network must give probabilities and a feature map. Received: "
                f"arrays of {sorted(found)} dimensions. Export the model again."
            )
            raise BundleError(message)
        return tuple(found[n] for n in (2, 4, 3) if n in found)


def engine_spec(name: str) -> EngineSpec:
    """Return an engine by its name.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    if name not in ENGINES:
        message = f"engine: unknown {name!r}; use one of {', '.join(ENGINES)}"
        raise ParameterError(message)
    return ENGINES[name]


def missing_extra(what: str, package: str, extra: str) -> MissingExtraError:
    """Return the error that names what to install."""
    wanted = f"mri-tumor[{extra}]" if extra else package
    return MissingExtraError(
        f"{what} needs the package {package}, which is not installed. Install it with "
        f"`pip install '{wanted}'`."
    )


def default_threads() -> int:
    """Return how many threads to compute with: the processors given to us, at most 4."""
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        usable = os.cpu_count() or 1
    return min(_MOST_THREADS, usable)
