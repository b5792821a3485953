"""Parameters: every one written, in range and of its type; else file, line and what is allowed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from playe_assets.core.errors import PresetError
from playe_assets.core.params import Where, bounds, card, flag, one_of, parse


@dataclass(frozen=True)
class Sample:
    size: int = bounds(3, 21, "px", odd=True)
    strength: float = bounds(0.5, 2.0)
    mode: str = one_of("fast", "good")
    on: bool = flag()


GOOD = {"size": 7, "strength": 1, "mode": "good", "on": True}
WHERE = Where("made_up.yaml", 10, "blur", {"size": 11, "strength": 12, "mode": 13, "on": 14, "strenght": 15})


def _refused(given):
    with pytest.raises(PresetError) as caught:
        parse(Sample, given, WHERE)
    return str(caught.value), caught.value.message("ru")


def test_good_values_are_taken_and_a_whole_number_may_stand_for_a_fraction():
    found = parse(Sample, GOOD, WHERE)
    assert found == Sample(7, 1.0, "good", True)
    assert type(found.strength) is float


def test_an_unknown_key_is_refused_with_file_line_and_the_keys_that_there_are():
    said, russian = _refused({**GOOD, "strenght": 1})
    assert said == "made_up.yaml, line 15: blur has no key 'strenght'. Allowed: size, strength, mode, on."
    assert (
        russian
        == "made_up.yaml, строка 15: у «blur» нет ключа «strenght». Допустимы: size, strength, mode, on."
    )


def test_a_missing_key_is_refused_with_the_line_of_its_block_and_its_range():
    given = {k: v for k, v in GOOD.items() if k != "size"}
    said, russian = _refused(given)
    assert "made_up.yaml, line 10: blur lacks the key 'size'" in said
    assert "int from 3 to 21, odd [px]" in said
    assert "строка 10" in russian


@pytest.mark.parametrize(
    ("key", "value", "line", "allowed"),
    [
        ("size", 2, 11, "int from 3 to 21, odd [px]"),
        ("size", 23, 11, "int from 3 to 21, odd [px]"),
        ("size", 8, 11, "int from 3 to 21, odd [px]"),
        ("size", 7.0, 11, "int from 3 to 21, odd [px]"),
        ("size", "7", 11, "int from 3 to 21, odd [px]"),
        ("size", True, 11, "int from 3 to 21, odd [px]"),
        ("size", None, 11, "int from 3 to 21, odd [px]"),
        ("strength", 0.4999, 12, "float from 0.5 to 2"),
        ("strength", float("nan"), 12, "float from 0.5 to 2"),
        ("strength", float("inf"), 12, "float from 0.5 to 2"),
        ("strength", False, 12, "float from 0.5 to 2"),
        ("mode", "best", 13, "fast | good"),
        ("mode", 1, 13, "fast | good"),
        ("mode", ["fast"], 13, "fast | good"),
        ("on", 1, 14, "true | false"),
        ("on", "true", 14, "true | false"),
    ],
)
def test_a_value_out_of_range_or_of_the_wrong_type_is_refused_with_line_and_range(key, value, line, allowed):
    said, russian = _refused({**GOOD, key: value})
    assert said == f"made_up.yaml, line {line}: blur: {key} is {value!r}. Allowed: {allowed}."
    assert f"строка {line}" in russian
    assert allowed in russian


@pytest.mark.parametrize(("key", "value"), [("size", 3), ("size", 21), ("strength", 0.5), ("strength", 2.0)])
def test_the_bounds_themselves_are_allowed(key, value):
    assert getattr(parse(Sample, {**GOOD, key: value}, WHERE), key) == value


@dataclass(frozen=True)
class Named:
    model: str = card("denoise")


def test_a_models_name_is_free_within_its_form_and_says_which_task_it_must_have():
    assert parse(Named, {"model": "own_net-2.1"}, WHERE).model == "own_net-2.1"
    for wrong in ("", "Own Net", "../net", 3, None):
        with pytest.raises(PresetError) as caught:
            parse(Named, {"model": wrong}, WHERE)
        assert "a model card of the task `denoise`" in str(caught.value)
