"""Registries are lazy, and a duplicate leaves them as they were."""

from __future__ import annotations

from typing import Any

import pytest

from playe_assets.core.errors import PresetError
from playe_assets.core.registry import Registry


def test_a_duplicate_raises_and_leaves_the_registry_as_it_was():
    registry: Registry[Any] = Registry("thing", {"a": "json:JSONDecoder"})
    with pytest.raises(ValueError, match="'a' is already registered as json:JSONDecoder"):
        registry.add("a", "json:JSONEncoder")
    assert registry.names() == ("a",)
    assert registry.get("a").__name__ == "JSONDecoder"


def test_a_line_is_imported_only_when_it_is_asked_for():
    registry: Registry[Any] = Registry(
        "thing", {"broken": "no_such_module_anywhere:X", "good": "json:JSONEncoder"}
    )
    assert "broken" in registry
    assert list(registry) == ["broken", "good"]
    with pytest.raises(ModuleNotFoundError):
        registry.get("broken")


def test_an_unknown_name_lists_those_that_there_are():
    with pytest.raises(PresetError) as caught:
        Registry("enhancer", {"b": "json:X", "a": "json:Y"}).get("c")
    assert str(caught.value) == "There is no enhancer named 'c'. Known: a, b."
