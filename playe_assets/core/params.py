"""Typed parameters of plug-ins: bounds stand at the field, a preset must write every one of them.

A plug-in declares a frozen dataclass; each field carries `bounds(...)`, `one_of(...)` or `flag()` and has
no default, because a parameter that can change a pixel may not hide in code (style, habit 5).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from playe_assets.core.errors import PresetError

T = TypeVar("T")


def bounds(ge: float, le: float, unit: str = "", odd: bool = False) -> Any:
    """A number in [ge, le], with its unit; `odd` for window sizes. int or float follows the annotation."""
    return dataclasses.field(metadata={"ge": ge, "le": le, "unit": unit, "odd": odd})


def one_of(*choices: str) -> Any:
    """A word out of `choices`."""
    return dataclasses.field(metadata={"choices": choices})


def one_number_of(*choices: int) -> Any:
    """A whole number out of `choices`."""
    return dataclasses.field(metadata={"numbers": choices})


def flag() -> Any:
    """true or false."""
    return dataclasses.field(metadata={"flag": True})


def card(*tasks: str) -> Any:
    """The name of a model card whose `task` is one of `tasks`: a new model of a known task needs no code.

    Here only the form of the name is checked; that the registry has such a card is checked with the plan.
    """
    return dataclasses.field(metadata={"tasks": tasks})


_CARD = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclasses.dataclass(frozen=True)
class Where:
    """Where a value was written, for messages: file, 1-based line of each key, the owner's name."""

    file: str
    line: int
    owner: str
    lines: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def of(self, key: str) -> int:
        """The line of `key`, or of the whole block where the key is absent."""
        return self.lines.get(key, self.line)


def allowed(field: dataclasses.Field[Any]) -> str:
    """The allowed values of a field in words, such as `int from 3 to 21, odd [px]`."""
    meta = field.metadata
    if "choices" in meta:
        return " | ".join(meta["choices"])
    if "numbers" in meta:
        return " | ".join(map(str, meta["numbers"]))
    if "flag" in meta:
        return "true | false"
    if "tasks" in meta:
        tasks = " | ".join(f"`{task}`" for task in meta["tasks"])
        return f"a model card of the task {tasks} (playe models list)"
    odd = ", odd" if meta.get("odd") else ""
    unit = f" [{meta['unit']}]" if meta.get("unit") else ""
    return f"{_type_name(field)} from {meta['ge']:g} to {meta['le']:g}{odd}{unit}"


def parse(cls: type[T], given: Mapping[str, Any], where: Where) -> T:
    """`given` as an instance of `cls`, every field present, in range and of its type.

    Raises:
        PresetError: names file, line, key, value and what is allowed.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in given:
        if key not in fields:
            raise PresetError(
                "preset.unknown_key", file=where.file, line=where.of(key), key=key, owner=where.owner,
                allowed=", ".join(fields) or "-",
            )  # fmt: skip
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in given:
            raise PresetError(
                "preset.missing_key", file=where.file, line=where.line, key=name, owner=where.owner,
                allowed=allowed(field),
            )  # fmt: skip
        values[name] = _checked(field, given[name], where)
    return cls(**values)


def _type_name(field: dataclasses.Field[Any]) -> str:
    return field.type if isinstance(field.type, str) else field.type.__name__


def _checked(field: dataclasses.Field[Any], value: Any, where: Where) -> Any:
    meta = field.metadata
    if "choices" in meta:
        good = isinstance(value, str) and value in meta["choices"]
    elif "numbers" in meta:
        good = isinstance(value, int) and not isinstance(value, bool) and value in meta["numbers"]
    elif "flag" in meta:
        good = isinstance(value, bool)
    elif "tasks" in meta:
        good = isinstance(value, str) and _CARD.fullmatch(value) is not None
    else:
        whole = _type_name(field) == "int"
        number = isinstance(value, int) if whole else isinstance(value, (int, float))
        good = number and not isinstance(value, bool) and meta["ge"] <= value <= meta["le"]
        good = good and not (meta.get("odd") and value % 2 == 0)
        value = float(value) if good and not whole else value
    if not good:
        raise PresetError(
            "preset.out_of_range", file=where.file, line=where.of(field.name), key=field.name,
            owner=where.owner, value=repr(value), allowed=allowed(field),
        )  # fmt: skip
    return value
