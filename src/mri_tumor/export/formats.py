"""The formats that a model can be exported to."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING

from mri_tumor.errors import ParameterError
from mri_tumor.runtime.engines import missing_extra

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class FormatSpec:
    """A format to export to.

    Parameters
    ----------
    file : str
        The network's file in the exported folder, or its folder.
    engine : str
        What of `mri_tumor.runtime.ENGINES` answers with it; empty for none.
    quantised : bool
        Whether it computes in 8-bit integers.
    packages : tuple of str
        What must be installed to write and to check it, beyond the library's own dependencies.
    """

    file: str
    engine: str = ""
    quantised: bool = False
    packages: tuple[str, ...] = ()


_ONNX = ("onnx", "tf2onnx", "onnxruntime")

FORMATS: Mapping[str, FormatSpec] = MappingProxyType(
    {
        "litert": FormatSpec(file="model.tflite", engine="litert"),
        "litert-int8": FormatSpec(file="model.tflite", engine="litert-int8", quantised=True),
        "onnx": FormatSpec(file="model.onnx", engine="onnx", packages=_ONNX),
        "onnx-int8": FormatSpec(
            file="model.onnx", engine="onnx-int8", quantised=True, packages=_ONNX
        ),
        "openvino": FormatSpec(file="model.xml", engine="openvino", packages=("openvino",)),
        "saved-model": FormatSpec(file="saved_model"),
    }
)
"""Every format by its name."""


def format_spec(name: str) -> FormatSpec:
    """Return a format by its name, once all that it needs is installed.

    Raises
    ------
    MissingExtraError
        If a package is missing; the message names the extra.
    ParameterError
        If there is no format of that name.
    """
    if name not in FORMATS:
        raise ParameterError(f"format: unknown {name!r}; use one of {', '.join(FORMATS)}")
    for package in FORMATS[name].packages:
        if find_spec(package) is None:
            raise missing_extra(f"exporting to {name!r}", package, "export")
    return FORMATS[name]
