"""Run a network by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def open_network(
    path: Path, *, threads: int, batch_size: int, size: int
) -> Callable[[NDArray[np.float32]], list[NDArray[Any]]]:
    """Open an ``.onnx`` file.

    Parameters
    ----------
    path : Path
        The file.
    threads : int
        Threads to compute with.
    batch_size, size : int
        Images per call and their side, which the file leaves open.

    Returns
    -------
    callable
        From float32 of shape (batch_size, size, size, 3) to the arrays that the network gives.
    """
    import onnxruntime

    del batch_size, size
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads that spin take the processor from those that read images.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its own classes, which share no base with a meaning
        raise ValueError(str(error)) from error
    name = session.get_inputs()[0].name

    def run(values: NDArray[np.float32]) -> list[NDArray[Any]]:
        return list(session.run(None, {name: values}))

    return run
