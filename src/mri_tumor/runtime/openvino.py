"""Run a network by OpenVINO, which reads the files of LiteRT and ONNX as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


def open_network(
    path: Path, *, threads: int, batch_size: int, size: int
) -> Callable[[NDArray[np.float32]], list[NDArray[Any]]]:
    """Open an ``.xml``, ``.onnx`` or ``.tflite`` file.

    Parameters
    ----------
    path : Path
        The file; that of an ``.xml`` lies beside it as ``.bin``.
    threads : int
        Threads to compute with.
    batch_size : int
        Images per call.
    size : int
        Side of the input in pixels.

    Returns
    -------
    callable
        From float32 of shape (batch_size, size, size, 3) to the arrays that the network gives.
    """
    import openvino

    core = openvino.Core()
    model = core.read_model(str(path))
    # A fixed shape is planned once, and is quicker than an open one.
    model.reshape([batch_size, size, size, 3])
    # Float32, where newer processors would choose bfloat16 and other answers.
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(model, "CPU", settings)

    def run(values: NDArray[np.float32]) -> list[NDArray[Any]]:
        # The arrays are views of memory that the next call overwrites.
        return [np.array(array) for array in compiled(values).values()]

    return run
