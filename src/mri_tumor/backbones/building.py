"""Build a backbone with its weights, and check that a classifier can stand on it."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import BackboneError, MRITumorError, WeightsError
from mri_tumor.framework import foreign_classes

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    import keras

    from mri_tumor.backbones.spec import BackboneSpec

# Long enough for a slow line, short enough to say that there is none.
_DOWNLOAD_TIMEOUT_S = 60


def build_backbone(
    spec: BackboneSpec, *, input_size: int, weights: str | os.PathLike[str] | None
) -> keras.Model:
    """Build a backbone with its weights.

    Parameters
    ----------
    spec : BackboneSpec
        The backbone.
    input_size : int
        Side of the input in pixels.
    weights : str, Path or None
        A name in ``spec.weights``, a weights file (``.h5``), or None for random ones.

    Returns
    -------
    keras.Model
        The backbone, with an output of shape (n, rows, columns, channels).

    Raises
    ------
    WeightsError
        If the weights cannot be had.
    BackboneError
        If the builder fails, its output is no feature map, or it holds what a saved model may
        not hold.
    """
    source = weights_source(spec, weights)
    try:
        # Keras shows a download on standard output, where the rows of a command may stand.
        with _download_timeout(), contextlib.redirect_stdout(sys.stderr):
            backbone = spec.builder((input_size, input_size, 3), source, **dict(spec.options))
    except MRITumorError:
        raise
    except Exception as error:
        raise _build_error(spec, weights, error) from error
    _check_backbone(spec, backbone, input_size)
    return backbone


def build_scaling(spec: BackboneSpec) -> list[keras.layers.Layer]:
    """Return the layers that take RGB in [0, 255] to what a backbone was trained on.

    Parameters
    ----------
    spec : BackboneSpec
        The backbone.

    Returns
    -------
    list of keras.layers.Layer
        New layers, in order; empty where the backbone scales inside.

    Raises
    ------
    BackboneError
        If they cannot be made, are no layers, or hold what a saved model may not hold.
    """
    import keras

    try:
        layers = list(spec.scaling())
    except Exception as error:
        message = (
            f"{_whose(spec)}: its scaling failed ({type(error).__name__}: {_first_line(error)})."
        )
        raise BackboneError(message) from error
    wrong = [layer for layer in layers if not isinstance(layer, keras.layers.Layer)]
    if wrong:
        message = (
            f"{_whose(spec)}: its scaling must return a list of Keras layers. "
            f"Received: {wrong[0]!r}"
        )
        raise BackboneError(message)
    _check_portable(spec, layers)
    return layers


def weights_source(spec: BackboneSpec, weights: str | os.PathLike[str] | None) -> str | None:
    """Return what a builder takes as weights: a name, the path of a file, or None.

    Raises
    ------
    WeightsError
        If there are none of that name and no such file.
    """
    if weights is None or weights in spec.weights:
        return weights if weights is None else str(weights)
    path = Path(weights)
    if path.is_file():
        return str(path)
    message = (
        f"The backbone {spec.name!r} has no weights {str(weights)!r}, and there is no such file. "
        f"Choose from {[*spec.weights, None]} or give the path of a weights file (.h5)."
    )
    raise WeightsError(message)


def _build_error(
    spec: BackboneSpec, weights: str | os.PathLike[str] | None, error: Exception
) -> Exception:
    reason = _first_line(error)
    others = [name for name in (*spec.weights, None) if name != weights]
    if weights in spec.weights and isinstance(error, (TypeError, ValueError)):
        # Such as an alpha that nobody trained.
        message = (
            f"The {weights!r} weights do not fit {spec.name} ({reason}). Choose other options, or "
            f"other weights: {others}."
        )
        return WeightsError(message)
    if weights in spec.weights:
        message = (
            f"The {weights!r} weights of {spec.name} are not on this machine and could not be "
            f"downloaded ({reason}). Connect to the network once, so that Keras can keep "
            f"them in ~/.keras (or in KERAS_HOME), or choose other weights: {others}."
        )
        return WeightsError(message)
    if weights is not None:
        message = (
            f"The weights file {str(weights)!r} does not fit the backbone {spec.name!r} "
            f"({reason}). Give a file saved from the same network."
        )
        return WeightsError(message)
    return BackboneError(f"{_whose(spec)} could not be built ({type(error).__name__}: {reason}).")


def _check_backbone(spec: BackboneSpec, backbone: Any, input_size: int) -> None:
    import keras

    if not isinstance(backbone, keras.Model):
        message = f"{_whose(spec)}: its builder must return a keras.Model. Received: {backbone!r}"
        raise BackboneError(message)
    given = getattr(backbone, "inputs", None) or []
    if len(given) != 1 or tuple(given[0].shape[1:]) not in {
        (size, size, 3) for size in (input_size, None)
    }:
        message = (
            f"{_whose(spec)} must take one input of shape (n, {input_size}, {input_size}, 3), as "
            f"its builder was asked to. Received: {[tuple(one.shape) for one in given]}"
        )
        raise BackboneError(message)
    shapes = [tuple(one.shape) for one in backbone.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        message = (
            f"{_whose(spec)} must return one feature map of shape (n, rows, columns, channels), "
            f"without pooling or classification layers. Received: {shapes}"
        )
        raise BackboneError(message)
    _check_portable(spec, [backbone])


def _check_portable(spec: BackboneSpec, layers: Sequence[keras.layers.Layer]) -> None:
    """Refuse before training what could not be loaded after saving."""
    import keras

    try:
        # Through text, as a saved model goes.
        config = json.loads(json.dumps([keras.saving.serialize_keras_object(k) for k in layers]))
    except (NotImplementedError, TypeError, ValueError) as error:
        message = f"{_whose(spec)} cannot be saved ({_first_line(error)}). Use Keras' own layers."
        raise BackboneError(message) from error
    foreign = sorted(foreign_classes(config))
    if foreign:
        message = (
            f"{_whose(spec)} holds what a saved model may not hold, since loading it would run "
            f"code: {', '.join(foreign[:5])}. Build it from Keras' own layers, without Lambda."
        )
        raise BackboneError(message)


def _whose(spec: BackboneSpec) -> str:
    return f"The backbone {spec.name!r} of package {spec.package!r}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def _download_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
