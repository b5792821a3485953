"""What an ONNX file reaches for outside itself, read from its bytes alone (protobuf wire format, onnx.proto3).

A graph may name files to read its weights from, and operators that an engine would load a library for. Neither is
opened here, so both are found before any engine sees the bytes; no library is needed for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_DEEPEST = 64
"""Graphs nested in graphs (branches of If and Loop)."""
# onnx.proto3: message -> field number -> message in it.
_WITHIN = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 9: "opset", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "opset": {},
    "tensor": {},
}
_DOMAIN = {"opset": 1, "node": 7, "function": 10}
_TENSOR_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14
_LARGEST_KEY = 0xFFFFFFFF
"""Engines read a field's key into 32 bits and drop what is above: a larger one is another field to them than here."""


@dataclass
class Reached:
    """What a graph is made of."""

    domains: set[str] = field(default_factory=set)
    """Of operators, functions and imported sets; empty is the standard's own."""
    external: list[str] = field(default_factory=list)
    """Tensors whose values lie in another file."""
    nodes: int = 0


def scan(data: bytes) -> Reached:
    """What the model of `data` reaches for.

    Raises:
        ValueError: the bytes are no protobuf message, or hold no graph.
    """
    found = Reached()
    kinds = _walk(memoryview(data), "model", found, 0)
    if "graph" not in kinds or not found.nodes:
        raise ValueError("it holds no graph")
    return found


def _walk(view: memoryview, kind: str, found: Reached, depth: int) -> set[str]:
    if depth > _DEEPEST:
        raise ValueError("graphs are nested too deeply")
    seen: set[str] = set()
    within, domain = _WITHIN[kind], _DOMAIN.get(kind)
    found.nodes += kind == "node"
    name, external = "", False
    for number, value in _fields(view):
        if isinstance(value, memoryview) and number in within:
            seen.add(within[number])
            _walk(value, within[number], found, depth + 1)
        elif number == domain and isinstance(value, memoryview):
            found.domains.add(bytes(value).decode("utf-8"))
        elif kind == "tensor":
            if number == _TENSOR_NAME and isinstance(value, memoryview):
                name = bytes(value).decode("utf-8", "replace")
            external |= number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
    if external:
        found.external.append(name)
    return seen


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of one message; a value is a number, or the bytes of what has a length."""
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        if key > _LARGEST_KEY:
            raise ValueError(f"byte {at}: no field of a protobuf message")
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(view, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(view, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"byte {at}: no field of a protobuf message")
        if size > len(view) - at or number == 0:
            raise ValueError(f"byte {at}: a field is longer than the file")
        yield number, view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            raise ValueError("the file ends within a number")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"byte {at}: a number has no end")
