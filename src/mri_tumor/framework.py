"""Load TensorFlow and Keras quietly, and tell Keras' own classes from others."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Send what native code writes to standard error nowhere, while the block runs."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def load_quietly() -> None:
    """Import TensorFlow and Keras, and let TensorFlow look for devices, silently.

    For the command line: its standard error belongs to the user's messages. TensorFlow's
    first log lines come before any setting of its own applies.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silent_stderr():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_logical_devices()


def foreign_classes(config: Any) -> set[str]:
    """Return the classes in a Keras config that Keras does not define, and Lambda.

    Keras imports the module of every class that a saved model names, and a Lambda brings its
    code along: neither may be loaded from a file that somebody sent.

    Parameters
    ----------
    config : object
        What JSON can hold: dictionaries and lists, nested.

    Returns
    -------
    set of str
        Such as ``{"my_package.MyLayer"}``; empty if all is Keras' own.

    Examples
    --------
    >>> foreign_classes({"module": "keras.layers", "class_name": "Dense", "config": {}})
    set()
    >>> foreign_classes({"module": "os", "class_name": "system", "config": {}})
    {'os.system'}
    """
    found: set[str] = set()
    if isinstance(config, dict):
        name = config.get("class_name")
        if isinstance(name, str):
            # What names no module (a tensor's place in the graph, say) imports nothing.
            module = config.get("module") or "keras"
            own = module == "builtins" or str(module).split(".")[0] == "keras"
            registered = config.get("registered_name") not in {None, name}
            if name in {"Lambda", "__lambda__"} or not own or registered:
                found.add(f"{module}.{name}")
        for value in config.values():
            found |= foreign_classes(value)
    elif isinstance(config, list):
        for value in config:
            found |= foreign_classes(value)
    return found
