"""YAML written by people, read with the line of every key, so that a message can point at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from playe_assets.core.errors import InputError
from playe_assets.core.params import Where

_MOST_NODES = 20_000
"""Values that one file may hold, aliases counted as often as they are used: nine lines of nested aliases would
otherwise fill the memory."""


@dataclass(frozen=True)
class Block:
    """A YAML mapping with its lines: `block["key"]` is a plain value, a `Block`, or a list of them."""

    file: str
    line: int
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def __contains__(self, key: object) -> bool:
        return key in self.values

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, or `default`."""
        return self.values.get(key, default)

    def where(self, owner: str) -> Where:
        """The place of this block, for error messages."""
        return Where(self.file, self.line, owner, self.lines)

    def plain(self) -> dict[str, Any]:
        """The block without lines, as JSON types."""
        return {k: _plain(v) for k, v in self.values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Block):
        return value.plain()
    return [_plain(v) for v in value] if isinstance(value, list) else value


def read_block(text: str, file: str, error: type[InputError]) -> Block:
    """`text` as a `Block`.

    Raises:
        error: not YAML, not a mapping, or a key written twice; with file and line.
    """
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        budget = iter(range(_MOST_NODES))
        try:
            node = loader.get_single_node()
            if not isinstance(node, yaml.MappingNode):
                raise error("yaml.no_mapping", file=file, line=1)
            return _block(loader, node, file, error, budget)
        finally:
            loader.dispose()
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        what = getattr(problem, "problem", None) or str(problem).splitlines()[0]
        raise error("yaml.broken", file=file, line=line, problem=what) from None
    except (RecursionError, ValueError) as problem:
        raise error("yaml.broken", file=file, line=1, problem=str(problem)) from None


def _block(loader: Any, node: Any, file: str, error: type[InputError], budget: Iterator[int]) -> Block:
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in values:
            raise error("yaml.key_twice", file=file, line=line, key=key)
        lines[key] = line
        values[key] = _value(loader, value_node, file, error, budget)
    return Block(file, node.start_mark.line + 1, values, lines)


def _value(loader: Any, node: Any, file: str, error: type[InputError], budget: Iterator[int]) -> Any:
    import yaml

    if next(budget, None) is None:
        raise error("yaml.too_many", file=file, line=node.start_mark.line + 1, allowed=_MOST_NODES)
    if isinstance(node, yaml.MappingNode):
        return _block(loader, node, file, error, budget)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, file, error, budget) for item in node.value]
    return loader.construct_object(node, deep=True)
