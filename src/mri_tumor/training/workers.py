"""The devices and machines that share a training, by the name of the strategy."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError, WorkerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

STRATEGIES = ("mirrored", "multi-worker")
# What the variable is called that tells a process of the others, in all of TensorFlow.
_VARIABLE = "TF_CONFIG"


def is_chief(strategy: str | None) -> bool:
    """Say whether this process is the one that writes.

    Parameters
    ----------
    strategy : {"mirrored", "multi-worker"} or None
        As `TumorClassifier` takes it.

    Returns
    -------
    bool
        False only for the second and further workers that ``TF_CONFIG`` lists.
    """
    return strategy != "multi-worker" or _own_place()[0] == 0


@functools.cache
def open_workers(strategy: str | None) -> Workers | None:
    """Meet the devices or the other workers of this training, once in a process.

    Parameters
    ----------
    strategy : {"mirrored", "multi-worker"} or None
        None for one process that trains as Keras does.

    Returns
    -------
    Workers or None
        None where there is nothing to share.

    Raises
    ------
    ParameterError
        If the name is unknown, ``TF_CONFIG`` makes no sense, or TensorFlow was used before
        the workers could meet.
    """
    if strategy is None:
        return None
    if strategy not in STRATEGIES:
        known = ", ".join(map(repr, STRATEGIES))
        raise ParameterError(f"strategy: must be {known} or None. Received: {strategy!r}")
    place, count = _own_place() if strategy == "multi-worker" else (0, 1)
    import tensorflow as tf

    if strategy == "mirrored":
        # Without a GPU it would find no device.
        devices = None if tf.config.list_logical_devices("GPU") else ["/cpu:0"]
        return Workers(tf.distribute.MirroredStrategy(devices), place, count)
    try:
        return Workers(tf.distribute.MultiWorkerMirroredStrategy(), place, count)
    except RuntimeError as error:
        message = (
            'strategy: "multi-worker" must come before anything else that TensorFlow does in this '
            "process. Fit first, or call mri_tumor.training.workers.open_workers at the start."
        )
        raise ParameterError(message) from error


def _own_place() -> tuple[int, int]:
    """Return which worker this process is, and how many there are."""
    text = os.environ.get(_VARIABLE, "")
    if not text:
        return 0, 1
    try:
        config = json.loads(text)
        workers = config["cluster"]["worker"]
        place, kind = int(config["task"]["index"]), config["task"]["type"]
        if (
            kind != "worker"
            or not 0 <= place < len(workers)
            or set(config["cluster"]) != {"worker"}
        ):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        message = (
            f'{_VARIABLE}: must be like {{"cluster": {{"worker": ["host1:2222", "host2:2222"]}}, '
            '"task": {"type": "worker", "index": 0}}, with workers only; worker 0 is the chief. '
            f"Received: {text!r}"
        )
        raise ParameterError(message) from None
    return place, len(workers)


@dataclass(frozen=True)
class Workers:
    """What shares a training, as this process sees it.

    Parameters
    ----------
    strategy : tf.distribute.Strategy
        Holds the devices.
    place : int
        Which worker this process is; 0 is the chief, the only one that writes.
    count : int
        How many processes there are.
    """

    strategy: Any
    place: int
    count: int

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.place == 0

    @property
    def n_replicas(self) -> int:
        """How many devices there are, over all processes."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def own_replicas(self) -> range:
        """Which of them are in this process."""
        own = self.n_replicas // self.count
        return range(self.place * own, (self.place + 1) * own)

    def spread(self, values: NDArray[Any]) -> Any:
        """Give each device of this process its own run of rows."""
        import tensorflow as tf

        rows = len(values) // len(self.own_replicas)
        first = self.own_replicas.start

        def part(context: Any) -> Any:
            start = (context.replica_id_in_sync_group - first) * rows
            return tf.convert_to_tensor(values[start : start + rows])

        return self.strategy.experimental_distribute_values_from_function(part)

    def sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """Add up arrays of the same shape over all processes; all of them must call it."""
        import tensorflow as tf

        first = self.own_replicas.start

        def part(context: Any) -> Any:
            own = context.replica_id_in_sync_group == first
            return tf.convert_to_tensor(values if own else np.zeros_like(values))

        shared = self.strategy.experimental_distribute_values_from_function(part)
        return np.asarray(self.strategy.reduce("SUM", shared, axis=None))

    def tell(self, content: bytes | None) -> bytes:
        """Return the chief's bytes; what the others pass does not count."""
        length = len(content or b"") if self.is_chief else 0
        length = int(self.sum(np.array([length], np.int64))[0])
        # The collectives know no bytes, and adding zeros to whole numbers changes none of them.
        words = np.zeros(-(-length // 4), np.int32)
        if self.is_chief and content:
            words.view(np.uint8)[:length] = np.frombuffer(content, np.uint8)
        return self.sum(words).tobytes()[:length] if length else b""

    def agree(self, settings: Mapping[str, Any]) -> None:
        """Refuse to train if the chief was started with something else.

        Parameters
        ----------
        settings : mapping
            What JSON can hold, and what must be the same on all of them.

        Raises
        ------
        WorkerError
            On all of them, if it is not.
        """
        told = json.loads(self.tell(json.dumps(settings).encode()))
        own = json.loads(json.dumps(settings))
        other = [name for name in {**told, **own} if told.get(name) != own.get(name)]
        differ = self.sum(np.array([len(other) > 0], np.int32))[0]
        if other:
            message = (
                f"worker {self.place}: was started with another {other[0]} than worker 0. Start "
                "all workers by the same command, on the same images."
            )
            raise WorkerError(message)
        if differ:
            message = "strategy: a worker was started with other settings or images than worker 0."
            raise WorkerError(f"{message} Its own message says which.")


def fingerprint(*arrays: NDArray[Any]) -> str:
    """Return a hash of arrays, to compare them with another worker's."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
