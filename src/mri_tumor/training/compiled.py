"""Compile models whose weights stay as they are, as quick as this machine runs them."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.framework import silent_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras
    from numpy.typing import NDArray

# Converting takes some seconds, as long as TensorFlow needs for about so many images more.
_WORTH_IT = 3000
# 32-bit sums in another order; activations are kept in half precision, 1 part in 2,000.
_TOLERANCE = 1e-3
# Each copy of a network holds its weights once more.
_MOST_COPIES = 8


def frozen_function(model: keras.Model) -> Callable[..., list[NDArray[Any]]]:
    """Compile a model whose weights stay as they are, as quick as TensorFlow runs it.

    Parameters
    ----------
    model : keras.Model
        Any functional model.

    Returns
    -------
    callable
        From uint8 or float batches, one per input, to a list of output arrays. Later changes of the weights
        have no effect on it.
    """
    import tensorflow as tf

    constant = _constant(model, rows=None)

    def run(*values: NDArray[Any]) -> list[NDArray[Any]]:
        outputs = constant(*(tf.cast(one, tf.float32) for one in values))
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        return [output.numpy() for output in outputs]

    return run


def _constant(model: keras.Model, *, rows: int | None) -> Any:
    """Trace a model with its weights as constants.

    They let the graph optimiser fold scaling and BatchNorm into the convolutions: 166 against 92
    images/s for MobileNetV2 on two cores.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    specs = [
        tf.TensorSpec((rows, *tensor.shape[1:]), tf.float32, name=f"input_{i}")
        for i, tensor in enumerate(model.inputs)
    ]
    traced = tf.function(
        lambda *inputs: model(inputs if len(inputs) > 1 else inputs[0], training=False)
    ).get_concrete_function(*specs)
    return convert_variables_to_constants_v2(traced)


def quick_function(
    model: keras.Model, *, n_rows: int, probe: Sequence[NDArray[Any]] | None = None
) -> Callable[..., list[NDArray[Any]]]:
    """Compile a frozen model by the quickest way that gives what it gives.

    Parameters
    ----------
    model : keras.Model
        Any functional model.
    n_rows : int
        How many images will go through it.
    probe : sequence of ndarray, each of shape (n, ...), optional
        Inputs to compare its answers on; random pixels by default.

    Returns
    -------
    callable
        As `frozen_function` gives it; that itself for few images, on a GPU, or where LiteRT
        cannot run the model or gives other values.
    """
    import tensorflow as tf

    if n_rows < _WORTH_IT or tf.config.list_physical_devices("GPU"):
        return frozen_function(model)
    try:
        run = _litert_function(model)
        if probe is None:
            rng = np.random.default_rng(0)
            probe = [rng.integers(0, 256, (2, *tensor.shape[1:])) for tensor in model.inputs]
        values = [one.astype(np.float32) for one in probe]
        wanted = model(values if len(values) > 1 else values[0], training=False)
        wanted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
        for one, other in zip(run(*values), wanted, strict=True):
            scale = float(np.abs(other).max()) or 1.0
            if one.shape != other.shape or np.abs(one - other).max() > _TOLERANCE * scale:
                return frozen_function(model)
    except Exception:  # noqa: BLE001 - the converter has many kinds, and TensorFlow does it too
        return frozen_function(model)
    return run


def _litert_function(model: keras.Model) -> Callable[..., list[NDArray[Any]]]:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    noise = contextlib.redirect_stdout(io.StringIO())
    with warnings.catch_warnings(), silent_stderr(), noise:
        warnings.simplefilter("ignore")
        # By way of a saved model it takes six times as long.
        converter = tf.lite.TFLiteConverter.from_concrete_functions([_constant(model, rows=1)])
        content = converter.convert()
        lanes = min(_processors(), _MOST_COPIES)
        networks: SimpleQueue[Any] = SimpleQueue()
        for _ in range(lanes):
            network = Interpreter(model_content=content, num_threads=_processors() // lanes)
            network.allocate_tensors()
            networks.put(network)
    sources = _in_order(network.get_input_details())
    # Outputs are numbered in the order of the model's: Identity, Identity_1, ...
    targets = _in_order(network.get_output_details())

    def answer(*values: NDArray[Any]) -> list[NDArray[Any]]:
        network = networks.get()
        try:
            for source, value in zip(sources, values, strict=True):
                network.set_tensor(source, value[None].astype(np.float32))
            network.invoke()
            return [network.get_tensor(target) for target in targets]
        finally:
            networks.put(network)

    def run(*values: NDArray[Any]) -> list[NDArray[Any]]:
        # One at a time: activations stay in the processor's cache, and no thread waits for another.
        with ThreadPoolExecutor(lanes) as pool:
            rows = list(pool.map(answer, *values))
        return [np.concatenate(kept) for kept in zip(*rows, strict=True)]

    return run


def _in_order(details: list[dict[str, Any]]) -> list[int]:
    """Return where tensors are, in the order of the model's."""
    return [one["index"] for one in sorted(details, key=lambda one: _number(str(one["name"])))]


def _number(name: str) -> int:
    """Return which input or output a name stands for."""
    number = name.partition(":")[0].rpartition("_")[2]
    return int(number) if number.isdigit() else 0


def _processors() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
