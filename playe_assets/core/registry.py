"""A lazy registry of plug-ins: one line names a plug-in, nothing is imported until it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Generic, TypeVar

from playe_assets.core.errors import PresetError

P = TypeVar("P")


class Registry(Generic[P]):
    """Names to `"module:Class"` lines. `kind` is the word for people, such as "enhancer"."""

    def __init__(self, kind: str, lines: dict[str, str]) -> None:
        self.kind = kind
        self._lines: dict[str, str] = {}
        for name, line in lines.items():
            self.add(name, line)

    def add(self, name: str, line: str) -> None:
        """Register `name`; a duplicate raises ValueError and leaves the registry as it was."""
        if name in self._lines:
            raise ValueError(f"{self.kind} {name!r} is already registered as {self._lines[name]}")
        self._lines[name] = line

    def names(self) -> tuple[str, ...]:
        """All registered names, in the registry's order."""
        return tuple(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __contains__(self, name: object) -> bool:
        return name in self._lines

    def get(self, name: str) -> type[P]:
        """The class behind `name`.

        Raises:
            PresetError: there is no such plug-in; the message lists those that there are.
        """
        line = self._lines.get(name)
        if line is None:
            raise PresetError(
                "registry.unknown", kind=self.kind, name=name, known=", ".join(sorted(self._lines))
            )
        module, _, attribute = line.partition(":")
        found: type[P] = getattr(importlib.import_module(module), attribute)
        return found
