"""YAML with the line of every key."""

from __future__ import annotations

import pytest

from playe_assets.core.errors import CaseFileError
from playe_assets.core.yamlfile import read_block


def _read(text):
    return read_block(text, "x.yaml", CaseFileError)


def test_every_key_knows_its_line_and_nested_blocks_theirs():
    block = _read("a: 1\nb:\n  c: 2\n  d: [x, {e: 5}]\n")
    assert block.lines == {"a": 1, "b": 2}
    assert block["b"].line == 3
    assert block["b"].where("owner").of("d") == 4
    assert block["b"].where("owner").of("absent") == 3
    assert block.plain() == {"a": 1, "b": {"c": 2, "d": ["x", {"e": 5}]}}


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\na: 2\n", "yaml.key_twice", 2),
        ("b:\n  c: 1\n  c: 1\n", "yaml.key_twice", 3),
        ("- a\n- b\n", "yaml.no_mapping", 1),
        ("", "yaml.no_mapping", 1),
        ("just a word", "yaml.no_mapping", 1),
        ("a: [1, 2\nb: 3\n", "yaml.broken", 2),
        ("a: 'open\n", "yaml.broken", 2),
        ("\ta: 1\n", "yaml.broken", 1),
        ("a: !!python/object:os.system x\n", "yaml.broken", 1),
        ("a: &x [1]\nb: *y\n", "yaml.broken", 2),
        ("a: 2020-99-99\n", "yaml.broken", 1),
        ("a: " + "[" * 1500, "yaml.broken", 1),
        ("a: \x00\n", "yaml.broken", 1),
    ],
)
def test_what_is_no_mapping_or_no_yaml_is_refused_with_file_and_line(text, code, line):
    with pytest.raises(CaseFileError) as caught:
        _read(text)
    assert (caught.value.code, caught.value.facts["file"], caught.value.facts["line"]) == (
        code,
        "x.yaml",
        line,
    )
    for language in ("en", "ru"):
        assert "x.yaml" in caught.value.message(language)
        assert str(line) in caught.value.message(language)


def test_a_bomb_of_nested_aliases_is_refused_before_it_fills_the_memory():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(CaseFileError) as caught:
        _read("\n".join(lines))
    assert caught.value.code == "yaml.too_many"
    assert caught.value.facts["line"] == 1


def test_an_alias_that_holds_itself_is_refused():
    with pytest.raises(CaseFileError) as caught:
        _read("a: &a [*a]\n")
    assert caught.value.code in ("yaml.broken", "yaml.too_many")
