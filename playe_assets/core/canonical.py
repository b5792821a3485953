"""Canonical JSON and digests: one value has exactly one byte form, so a digest names it for ever.

Keys sorted, no blanks, UTF-8 unescaped, no NaN or infinity (RFC 8785 in spirit; floats in Python's
shortest round-trip form, which RFC 8785 shares for all the magnitudes that occur here).
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_SCALARS = frozenset({str, int, float, bool})
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def to_plain(value: Any) -> Any:
    """`value` as JSON types only: dataclasses become dicts, tuples lists, enums their value."""
    kind = type(value)
    if (
        value is None or kind in _SCALARS
    ):  # nearly all there is in a record; the questions below cost far more
        return value
    if kind is dict:
        return {k if type(k) is str else str(k): to_plain(v) for k, v in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(to_plain(v) for v in value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "item"):  # a numpy scalar
        return value.item()
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def from_plain(cls: type[T], data: Any) -> T:
    """The inverse of `to_plain` for dataclasses: nested, typed, unknown keys refused.

    Raises:
        TypeError: a key that `cls` does not have, or a field without default that is missing.
    """
    return typing.cast("T", _revive(cls, data))


def _revive(kind: Any, data: Any) -> Any:
    origin = get_origin(kind)
    if kind is Any or data is None:
        return data
    if origin in (Union, types.UnionType):
        inner = [a for a in get_args(kind) if a is not type(None)]
        return _revive(inner[0], data) if len(inner) == 1 else data
    if origin is tuple:
        args = get_args(kind)
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_revive(args[0], item) for item in data)
        return tuple(_revive(a, item) for a, item in zip(args, data, strict=True))
    if origin is list:
        return [_revive(get_args(kind)[0], item) for item in data]
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return {k: _revive(get_args(kind)[1], v) for k, v in data.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(data)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        known = {f.name for f in dataclasses.fields(kind)}
        unknown = set(data) - known
        if unknown:
            raise TypeError(f"{kind.__name__} has no field {sorted(unknown)}")
        return kind(**{k: _revive(hints[k], v) for k, v in data.items()})
    return data


def canonical_json(value: Any) -> bytes:
    """`value` in its one byte form, without a newline.

    Raises:
        ValueError: a float that is NaN or infinite, which JSON cannot carry.
    """
    return _ENCODER.encode(value if _is_plain(value) else to_plain(value)).encode("utf-8")


def _is_plain(value: Any) -> bool:
    """Whether the encoder gives `value` the form that `to_plain` would give it: nothing is copied to find out.

    A record is written thousands of times a second, and what a copy allocates the garbage collector walks through.
    """
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or (
                type(item) not in _SCALARS and item is not None and not _is_plain(item)
            ):
                return False
        return True
    if kind is list or kind is tuple:
        return all(type(item) in _SCALARS or item is None or _is_plain(item) for item in value)
    return value is None or kind in _SCALARS


def digest(value: Any) -> str:
    """The sha256 of the canonical JSON of `value`, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
