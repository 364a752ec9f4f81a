"""The weights in an ONNX file: tensors by name, de-quantised, and the product each is used in.

Read as the protocol buffers that it is, of which weights need three messages; neither a graph nor
code is run, and no library but NumPy is asked for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tuneatlas.errors import UserError

Array = npt.NDArray[np.float32]
Value = int | memoryview

# Numbers of fields in onnx.proto.
GRAPH, NODES, TENSORS = 7, 1, 5
NODE_INPUTS, NODE_NAME, NODE_KIND = 1, 3, 4
DIMENSIONS, FORMAT, FLOATS, INTEGERS, TENSOR_NAME, RAW = 1, 2, 4, 5, 8, 9
FORMATS: dict[int, Any] = {1: np.dtype("<f4"), 2: np.dtype("u1"), 3: np.dtype("i1")}
PRODUCTS = ("MatMul", "MatMulInteger")
QUANTISED, SCALE, ZERO = "_quantized", "_scale", "_zero_point"


class Weights(NamedTuple):
    """What a file holds.

    ``tensors``: float32 arrays by name. ``products``: the name of a node that multiplies by a
    tensor, and that tensor's name; its rows are the inputs, as in ``x @ tensor``.
    """

    tensors: dict[str, Array]
    products: dict[str, str]


def read_onnx(path: Path) -> Weights:
    """The weights in an ONNX file.

    Whole numbers are made float32 by the scale and the zero point that stand beside them; what
    quantisation lost does not come back.

    Raises:
        UserError: if the file is damaged or no ONNX file.
    """
    stored: dict[str, npt.NDArray[Any]] = {}
    products: dict[str, str] = {}
    try:
        (graph,) = (value for field, value in _fields(_opened(path)) if field == GRAPH)
        for field, value in _fields(graph):
            if field == TENSORS:
                stored.update(_tensor(value))
            elif field == NODES:
                products.update(_product(value))
    except (ValueError, TypeError, IndexError) as error:
        raise UserError(f"{path} is no ONNX file, or damaged ({error}): fetch it again") from error
    tensors = dict(_floats(path, stored))
    used = {node: name.removesuffix(QUANTISED) for node, name in products.items()}
    return Weights(tensors, {node: name for node, name in used.items() if name in tensors})


def _opened(path: Path) -> memoryview:
    try:
        return memoryview(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): fetch it again") from error


def _fields(message: Value) -> Iterator[tuple[int, Value]]:
    """Number and value of each field of a message, in order."""
    if isinstance(message, int):
        raise ValueError("a number where a message should be")
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"a field of kind {kind}")
        length, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        if at + length > len(message):
            raise ValueError("it ends early")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of variable length at a place, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number of more than ten bytes")


def _numbers(values: list[Value]) -> list[int]:
    """Whole numbers of a repeated field, whether they are packed or not."""
    found = []
    for value in values:
        at = 0
        while not isinstance(value, int) and at < len(value):
            number, at = _varint(value, at)
            found.append(number)
        if isinstance(value, int):
            found.append(value)
    return [number - 2**64 if number >= 2**63 else number for number in found]


def _by_number(message: Value) -> dict[int, list[Value]]:
    found: dict[int, list[Value]] = {}
    for field, value in _fields(message):
        found.setdefault(field, []).append(value)
    return found


def _contents(values: list[Value]) -> list[bytes]:
    return [bytes(value) for value in values if not isinstance(value, int)]


def _texts(values: list[Value]) -> list[str]:
    return [value.decode() for value in _contents(values)]


def _tensor(message: Value) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """A tensor with its name, if it is of numbers that weights are made of."""
    fields = _by_number(message)
    (kind,) = _numbers(fields[FORMAT]) if FORMAT in fields else (0,)
    if kind not in FORMATS:
        return  # shapes and places, which are no weights
    (name,), form = _texts(fields.get(TENSOR_NAME, [])), FORMATS[kind]
    if RAW in fields or FLOATS in fields:
        values = np.frombuffer(b"".join(_contents(fields.get(RAW) or fields[FLOATS])), dtype=form)
    else:
        values = np.array(_numbers(fields.get(INTEGERS, []))).astype(form)
    yield name, values.reshape(_numbers(fields.get(DIMENSIONS, [])))


def _product(message: Value) -> Iterator[tuple[str, str]]:
    fields = _by_number(message)
    if _texts(fields.get(NODE_KIND, []))[:1] in ([kind] for kind in PRODUCTS):
        (name,), inputs = _texts(fields.get(NODE_NAME, [])), _texts(fields[NODE_INPUTS])
        yield name, inputs[1]


def _floats(path: Path, stored: dict[str, npt.NDArray[Any]]) -> Iterator[tuple[str, Array]]:
    for name, values in stored.items():
        base = name.removesuffix(QUANTISED)
        if base != name:
            if base + SCALE not in stored or base + ZERO not in stored:
                raise UserError(f"{path}: {name} has no scale or no zero point; fetch it again")
            zero, scale = stored[base + ZERO], stored[base + SCALE]
            made = (values.astype(np.float32) - zero.astype(np.float32)) * scale
            yield base, made.astype(np.float32)
        elif values.dtype == np.float32 and not name.endswith(SCALE):
            yield name, values.astype(np.float32)
