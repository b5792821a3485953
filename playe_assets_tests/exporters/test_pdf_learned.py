"""How learned steps, their maps and withheld faces stand in the PDF."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playe_assets.core.values import AiClass
from playe_assets.exporters.pdf_pictures import _notice, _rows
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_steps import _identity, _measured
from playe_assets.exporters.report_limits import ai_statement
from playe_assets_tests.exporters.report_sample import sample_parts

STEP = {"use": "low_light", "version": "1", "params": {"strength": 0.8}, "weights": {"iat": "0" * 64}}


def test_a_method_is_described_once_though_it_was_applied_to_some_exhibits_only() -> None:
    assert _identity({**STEP, "ai_class": "none"}) == _identity({**STEP, "ai_class": "fidelity"})
    assert _identity({**STEP, "ai_class": "none"}) != _identity({**STEP, "params": {}, "ai_class": "none"})


@pytest.mark.parametrize(("language", "word"), [("en", "not applied"), ("ru", "не применялся")])
def test_a_step_that_did_not_apply_says_so_first(language: str, word: str) -> None:
    told = _measured({"luma_mean": 127.4, "applied": 0.0}, Say(language))
    assert told.startswith(f"<b>{word}</b>; ")
    assert "127" in told
    assert _measured({"applied": 1.0}, Say(language)) == "", "that a step worked needs no word"


def test_a_face_that_was_not_judged_is_told_without_a_bound_that_nobody_set() -> None:
    verdict = {"gate": "identity", "expectation": "faces keep their identity", "allowed": "-",
               "observed": "not measured: the preset has no identity metric for this media"}  # fmt: skip
    for language, words in (("en", "could not be judged"), ("ru", "не проверено")):
        box = _notice(None, [{"derivative": "D004", "verdict": verdict}], Say(language))
        said = " ".join(p.text for row in box._cellvalues for cell in row for p in cell)
        assert words in said
        assert "allowed" not in said
        assert "допускается" not in said


def test_the_maps_of_a_picture_stand_in_one_row() -> None:
    items = {r: {"role": r, "height": 90, "width": 120}
             for r in ("before", "after", "difference", "consistency", "uncertainty")}  # fmt: skip
    rows = [[p["role"] for p in row] for row in _rows(items)]
    assert rows == [["before", "after"], ["difference", "consistency", "uncertainty"]]


def test_the_statement_on_learned_models_leaves_out_what_was_not_applied() -> None:
    parts, _pictures = sample_parts(count=1)
    [entry] = [e for e in parts.enhanced.entries if e.exhibit == "E001"]
    skipped = replace(
        entry.steps[0], ai_class=AiClass.NONE, weights={"iat": "0" * 64}, measured={"applied": 0.0}
    )
    used = replace(skipped, use="super_resolution", ai_class=AiClass.FIDELITY, measured={"applied": 1.0})
    made = replace(parts.enhanced, entries=(replace(entry, steps=(skipped, used)),))
    items = ai_statement(replace(parts, enhanced=made), set())
    assert [[s["use"] for s in item["learned_steps"]] for item in items if item["exhibit"] == "E001"] == [
        ["super_resolution"]
    ] * len(items)
    unlearned = replace(parts.enhanced, entries=(replace(entry, steps=(skipped,)),))
    assert {i["training_data"] for i in ai_statement(replace(parts, enhanced=unlearned), set())} == {"none"}
