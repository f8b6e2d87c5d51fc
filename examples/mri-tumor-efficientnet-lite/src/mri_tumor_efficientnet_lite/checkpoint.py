"""Read the tensors of an old PyTorch file, and nothing else that a pickle can hold.

Before version 1.6, `torch.save` wrote five pickles in a row (a magic number, the protocol, facts
on the machine, the object, the keys of its storages) and then the storages: for each key in
order, the number of elements and the elements themselves. Unpickling runs whatever code a file
names, so no pickle is loaded here: its instructions are parsed by `pickletools`, which executes
none, and carried out by a machine that knows some thirty of them and has nothing to call. What it can make
is numbers, text, tuples, dictionaries, and tensors as a note of where their elements lie.

References
----------
Python's `pickletools` lists the instructions; PyTorch's `torch/serialization.py` has the format.
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from mri_tumor.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DICT = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_STORAGES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
}
_NAMES = {_DICT, _TENSOR, *_STORAGES}


class _RefusedError(Exception):
    """The file holds something else than tensors, or does not hold together."""


@dataclass(frozen=True)
class _Name:
    """A function or class that the file names; only compared with, never imported."""

    text: str


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    size: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a state dictionary that `torch.save` wrote before PyTorch 1.6.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to ndarray
        Tensors by name, in order; read-only.

    Raises
    ------
    WeightsError
        If the file cannot be read, is damaged, or holds anything else than named tensors.
    """
    try:
        return _read(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}).") from error
    except _RefusedError as error:
        message = (
            f"{path}: is not a file of tensors that this reader admits ({error}). It was not "
            "loaded. Reinstall the package that it belongs to."
        )
        raise WeightsError(message) from error


def _read(content: bytes) -> dict[str, NDArray[Any]]:
    file = io.BytesIO(content)
    if _run(file) != _MAGIC or _run(file) != _PROTOCOL:
        raise _RefusedError("it does not start as PyTorch's old format does")
    machine = _run(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise _RefusedError("it was written on a big-endian machine")
    tensors = _run(file)
    if not isinstance(tensors, dict) or not all(
        isinstance(one, _Tensor) for one in tensors.values()
    ):
        raise _RefusedError("it is not a dictionary of tensors")
    places = _storage_places(file, tensors)
    return {name: _array(content, one, places) for name, one in tensors.items()}


def _storage_places(file: io.BytesIO, tensors: dict[str, _Tensor]) -> dict[str, int]:
    """Return the byte at which the elements of each storage begin."""
    storages = {one.storage.key: one.storage for one in tensors.values()}
    if any(one.storage != storages[one.storage.key] for one in tensors.values()):
        raise _RefusedError("one storage is said to be two")
    keys = [_of(str, key) for key in _of(list, _run(file))]
    if sorted(keys) != sorted(storages):
        raise _RefusedError("its storages are not those of its tensors")
    content, place = file.getbuffer(), file.tell()
    places = {}
    for key in keys:
        storage = storages[key]
        if content[place : place + 8] != struct.pack("<Q", storage.size):
            raise _RefusedError("a storage has not the size that is said")
        places[key] = place + 8
        place += 8 + storage.size * storage.dtype.itemsize
    if place != len(content):
        raise _RefusedError("it is cut off, or goes on after its last storage")
    return places


def _array(content: bytes, tensor: _Tensor, places: dict[str, int]) -> NDArray[Any]:
    storage = tensor.storage
    values = np.frombuffer(content, storage.dtype, storage.size, places[storage.key])
    # That no element lies outside of the storage was seen to when the tensor was made.
    return as_strided(
        values[tensor.offset :],
        tensor.shape,
        [step * storage.dtype.itemsize for step in tensor.strides],
        writeable=False,
    )


def _run(file: io.BytesIO) -> Any:
    """Carry out one pickle, and return what it makes."""
    machine = _Machine()
    try:
        for instruction, argument, _ in pickletools.genops(file):
            if instruction.name == "STOP":
                break
            machine.step(instruction.name, argument)
        (result,) = machine.stack
    except _RefusedError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        raise _RefusedError(f"it is damaged: {type(error).__name__}: {error}") from error
    return result


class _Machine:
    """A stack, a memo, and the few instructions of which a file of tensors consists."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.marks: list[int] = []

    def step(self, name: str, argument: Any) -> None:  # noqa: PLR0912
        """Carry out one instruction, or refuse."""
        stack = self.stack
        match name:
            case "PROTO":
                pass
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(name == "NEWTRUE")
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE":
                stack.append(argument)
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "MARK":
                self.marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(self.since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self.pop(int(name[-1]))))
            case "APPEND" | "APPENDS":
                items = self.pop(1) if name == "APPEND" else self.since_mark()
                _of(list, stack[-1]).extend(items)
            case "SETITEM" | "SETITEMS":
                items = self.pop(2) if name == "SETITEM" else self.since_mark()
                for key, value in zip(items[::2], items[1::2], strict=True):
                    _of(dict, stack[-1])[_of(str, key)] = value
            case "GLOBAL":
                if argument not in _NAMES:
                    raise _RefusedError(f"it names {argument.replace(' ', '.')}")
                stack.append(_Name(argument))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                function, arguments = self.pop(2)
                stack.append(_make(_of(_Name, function), _of(tuple, arguments)))
            case "BUILD":
                # The versions of the modules that the tensors are of; not needed.
                _, state = stack[-2], stack.pop()
                _of(dict, state)
            case _:
                raise _RefusedError(f"it holds the instruction {name}")

    def pop(self, count: int) -> list[Any]:
        """Take the last values off the stack."""
        if count > len(self.stack) - (self.marks[-1] if self.marks else 0):
            raise _RefusedError("it is damaged: the stack is empty")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def since_mark(self) -> list[Any]:
        """Take the values after the last mark off the stack."""
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken


def _storage(reference: Any) -> _Storage:
    """Return the storage that a persistent id names: its type, key, place and size."""
    kind, name, key, _place, size, view = _of(tuple, reference)
    text = _of(_Name, name).text
    if kind != "storage" or view is not None or text not in _STORAGES:
        raise _RefusedError("it refers to something else than a storage")
    return _Storage(_of(str, key), _STORAGES[text], _count(size))


def _make(function: _Name, arguments: tuple[Any, ...]) -> Any:
    if function.text == _DICT and not arguments:
        return {}
    if function.text != _TENSOR:
        raise _RefusedError(f"it calls {function.text.replace(' ', '.')}")
    storage, offset, shape, strides, _learns, hooks = arguments
    shape = tuple(map(_count, _of(tuple, shape)))
    strides = tuple(map(_count, _of(tuple, strides)))
    size = _of(_Storage, storage).size
    pairs = list(zip(shape, strides, strict=True))
    last = _count(offset) + sum((length - 1) * step for length, step in pairs)
    if hooks or not 0 < math.prod(shape) <= size or last >= size:
        raise _RefusedError("a tensor is empty, or reaches out of its storage")
    return _Tensor(storage, offset, shape, strides)


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise _RefusedError(f"it holds {type(value).__name__} where {kind.__name__} belongs")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise _RefusedError(f"it counts {value!r}")
    return value
