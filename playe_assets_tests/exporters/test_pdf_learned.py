"""How learned steps, their maps and withheld faces stand in the PDF."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playe_assets.core.values import AiClass
from playe_assets.exporters import pdf_pictures
from playe_assets.exporters.pdf_measured import measured
from playe_assets.exporters.pdf_pictures import _notice, _rows
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_steps import _identity
from playe_assets.exporters.report_limits import ai_statement
from playe_assets.exporters.report_model import build_report
from playe_assets_tests.exporters.report_sample import sample_parts

STEP = {"use": "low_light", "version": "1", "params": {"strength": 0.8}, "weights": {"iat": "0" * 64}}


def test_a_method_is_described_once_though_it_was_applied_to_some_exhibits_only() -> None:
    assert _identity({**STEP, "ai_class": "none"}) == _identity({**STEP, "ai_class": "fidelity"})
    assert _identity({**STEP, "ai_class": "none"}) != _identity({**STEP, "params": {}, "ai_class": "none"})


@pytest.mark.parametrize(("language", "word"), [("en", "not applied"), ("ru", "не применялся")])
def test_a_step_that_did_not_apply_says_so_first(language: str, word: str) -> None:
    told = measured({"luma_mean": 127.4, "applied": 0.0}, Say(language))
    assert told.startswith(f"<b>{word}</b>; ")
    assert "127" in told
    assert measured({"applied": 1.0}, Say(language)) == "", "that a step worked needs no word"


@pytest.mark.parametrize(
    "found",
    [
        {"deinterlaced": 0.0, "interpolated_lines_share": 0.0},
        {"frames_moved": 0.0, "correction_px": 0.0, "dx_px": 0.0, "dy_px": 0.0, "rotation_deg": 0.0},
    ],
)
def test_every_step_that_left_a_clip_alone_says_so_in_the_same_words(found: dict[str, float]) -> None:
    assert measured(found, Say("en")) == "<b>not applied</b>"
    worked = measured({**found, next(iter(found)): 3.0}, Say("en"))
    assert "not applied" not in worked and ": 3" in worked


def test_frames_none_of_which_had_a_neighbour_were_not_fused() -> None:
    alone = {"frames": 3.0, "frames_without_neighbours": 3.0, "contributors_mean": 1.0}
    assert measured(alone, Say("en")).startswith("<b>not applied</b>; ")
    assert "not applied" not in measured({**alone, "frames_without_neighbours": 1.0}, Say("en"))


def test_derivatives_of_which_the_same_is_said_share_a_line_of_the_statement() -> None:
    items = [
        {"derivative": f"D{n:03d}", "exhibit": "E002" if n == 31 else "E001", "kind": "master" if n == 1 else "track",
         "ai_class": "fidelity" if n == 7 else "none", "learned_steps": [], "training_data": "none",
         "may_add_detail": False, "permitted_use": "none" if n == 9 else "examination", "withheld": n == 9}
        for n in range(1, 32)
    ]  # fmt: skip
    report = build_report(sample_parts(count=1)[0])
    report["sections"]["ai_statement"]["items"] = items
    *_, table = pdf_pictures.ai_statement(report, {}, Say("en"))
    lines = [[getattr(c, "text", "") for c in row] for row in table._cellvalues[1:]]
    assert [line[:2] for line in lines] == [
        ["D001 – D006, D008, D010 – D030", "E001"], ["D007", "E001"], ["D009", "E001"], ["D031", "E002"],
    ]  # fmt: skip
    assert lines[0][2].count(",") == 1 and "27 × " in lines[0][2]


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
