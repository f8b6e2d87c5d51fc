"""Run a network by LiteRT, which was TensorFlow Lite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mri_tumor.framework import silent_stderr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def open_network(
    path: Path, *, threads: int, batch_size: int, size: int
) -> Callable[[NDArray[np.float32]], list[NDArray[Any]]]:
    """Open a ``.tflite`` file.

    Parameters
    ----------
    path : Path
        The file; it is mapped into memory rather than read.
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
    from ai_edge_litert.interpreter import Interpreter

    # It announces its accelerator on standard error, which belongs to the user's messages.
    with silent_stderr():
        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        place = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(place, [batch_size, size, size, 3])
        interpreter.allocate_tensors()
    results = [detail["index"] for detail in interpreter.get_output_details()]

    def run(values: NDArray[np.float32]) -> list[NDArray[Any]]:
        interpreter.set_tensor(place, values)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in results]

    return run
