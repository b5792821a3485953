"""One value, one byte form."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.core.canonical import canonical_json, digest, from_plain, to_plain
from playe_assets.core.values import AiClass, Derivative, ExhibitDetections, MediaKind, StreamFacts

words = st.text(st.characters(codec="utf-8"), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
@settings(max_examples=100, deadline=None)
def test_every_json_value_comes_back_equal_and_has_one_form(value):
    once = canonical_json(value)
    again = json.loads(once)
    assert again == value
    assert canonical_json(again) == once
    assert b"\n" not in once


@given(st.dictionaries(st.text(alphabet="abcxyz"), st.integers(), min_size=2, max_size=6))
@settings(max_examples=50, deadline=None)
def test_the_order_in_which_keys_were_put_changes_nothing(value):
    turned = dict(reversed(list(value.items())))
    assert digest(value) == digest(turned)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, [1.0, math.nan], {"a": {"b": math.inf}}])
def test_nan_and_infinity_are_refused_wherever_they_stand(bad):
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(bad)


@pytest.mark.parametrize("bad", [b"bytes", object(), 1j])
def test_what_json_cannot_carry_is_refused_by_its_type(bad):
    with pytest.raises(TypeError, match=type(bad).__name__):
        canonical_json({"key": bad})


def test_the_digest_is_the_sha256_of_the_documented_bytes():
    value = {"б": [1, 2.5, None, True], "a": AiClass.NONE}
    assert canonical_json(value) == '{"a":"none","б":[1,2.5,null,true]}'.encode()
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_numpy_scalars_sets_and_tuples_become_plain_values():
    assert to_plain((np.float64(0.5), np.int32(3), {"b", "a"})) == [0.5, 3, ["a", "b"]]


def test_nested_dataclasses_come_back_with_their_types():
    made = Derivative("D001", "E001", "photo", "0" * 64, 3, "image/png", ("1" * 64,), AiClass.FIDELITY)
    back = from_plain(Derivative, json.loads(canonical_json(made)))
    assert back == made
    assert back.ai_class is AiClass.FIDELITY
    assert isinstance(back.was_derived_from, tuple)


def test_a_key_that_the_class_does_not_have_is_refused_by_name():
    plain = to_plain(StreamFacts("a", "b", "c", 8, 1, 1))
    with pytest.raises(TypeError, match=r"StreamFacts.*frobnicate"):
        from_plain(StreamFacts, {**plain, "frobnicate": 1})


def test_a_missing_field_without_default_is_refused():
    with pytest.raises(TypeError, match="codec"):
        from_plain(
            StreamFacts, {"container": "x", "pixel_format": "y", "bit_depth": 8, "width": 1, "height": 1}
        )


@dataclass(frozen=True)
class _Holder:
    kinds: dict[str, MediaKind]
    pairs: tuple[tuple[float, float], ...]
    maybe: ExhibitDetections | None = None


def test_mappings_and_tuples_of_tuples_are_revived_by_their_annotation():
    held = _Holder({"x": MediaKind.CLIP}, ((1.0, 2.0), (3.0, 4.0)))
    assert from_plain(_Holder, to_plain(held)) == held
