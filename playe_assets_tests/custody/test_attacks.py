"""Every attack on the log that we could think of is found: by the log alone, or with a checkpoint kept elsewhere.

Where one copy of a log cannot show it by itself, the test says so first (the audit holds), then that it is found
with a witness. docs/custody.md has the same as a table.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from playe_assets.custody.audit import Witness
from playe_assets_tests.custody.attacks import CHANGES, Held, edited, honest, replay


@pytest.fixture
def held(tmp_path: Path) -> Held:
    """The honest log, which holds."""
    held = honest(tmp_path / "lab")
    assert held.codes() == []
    return held


def test_an_honest_log_holds_before_and_after_its_files_are_rotated_and_against_its_own_checkpoints(tmp_path):
    held = honest(tmp_path / "lab", rotate_bytes=1500)
    assert len(held.log.files()) > 3
    assert held.found().findings == ()
    for note in held.notes:
        assert held.found(note.read_text()).findings == ()
    assert held.found(key0=held.checkpoints.key0()).findings == ()


@pytest.mark.parametrize("attack", CHANGES)
@pytest.mark.parametrize("at", [2, 15, 25])
def test_lines_that_were_changed_without_care_break_the_chain_wherever_they_stand(held, attack, at):
    held.put(CHANGES[attack](held.raw(), at))
    found = held.found()
    assert not found.holds
    assert found.findings[0].code in {"line_changed", "line_number", "lines_missing"}


@pytest.mark.parametrize("attack", CHANGES)
@pytest.mark.parametrize(("at", "epoch"), [(2, 0), (15, 1)])
def test_lines_under_a_checkpoint_that_were_changed_and_chained_anew_are_found_and_placed(
    held, attack, at, epoch
):
    held.put_chained(CHANGES[attack](held.raw(), at))
    found = [f for f in held.found().findings if f.code == "log_changed"]
    assert [(f.facts["epoch"], f.facts["first"] <= at <= f.facts["last"]) for f in found] == [(epoch, True)]


@pytest.mark.parametrize("attack", CHANGES)
def test_lines_that_no_checkpoint_covers_yet_can_be_rewritten_unless_one_was_given_out(held, attack):
    before = held.copy("before")
    witness = held.sign()
    held.restore(before)  # back to when the lines were not signed, with the key of then
    held.put_chained(CHANGES[attack](held.raw(), 25))
    assert held.codes() == [], "nothing inside one copy shows it: only the next checkpoint signs these lines"
    assert held.codes(witness) in (["witness_changed"], ["witness_ahead"])
    held.write(5)
    assert held.codes(witness) == ["witness_changed"]
    held.sign()
    assert held.codes(witness) == ["witness_forked"], "signed by the same key: two stories of one log"


def test_replayed_lines_are_old_by_the_clock_that_nobody_can_set(held):
    held.put_chained(replay(held.raw(), 27))
    assert held.codes() == []
    assert held.advice() == ["boottime_fell"]


@pytest.mark.parametrize("left", [0, 1, 5, 12, 20])
def test_a_tail_that_was_cut_off_below_a_checkpoint_is_missed(held, left):
    held.put(held.raw()[:left])
    assert "log_shorter" in held.codes()


def test_a_tail_that_was_cut_off_behind_the_last_checkpoint_is_missed_only_by_a_witness(held):
    head = held.log.head()
    report = Witness(None, (head.lines - 1, head.last_hash), name="report.json")
    before = held.copy("before")
    witness = held.sign()
    held.restore(before)
    held.put(held.raw()[:25])
    assert held.codes() == [], "lines that nothing outside has seen leave no trace"
    assert held.codes(report) == ["witness_head_ahead"], "an issued report has seen them"
    assert held.codes(witness) == ["witness_ahead"], "so has a checkpoint"
    held.write(9)
    assert held.codes(report) == ["witness_head"]


def test_the_beginning_cannot_be_cut_off(held):
    held.put(held.raw()[3:])
    assert held.codes()[0] == "lines_missing"
    held.put_chained(held.raw())
    assert "log_changed" in held.codes()


def test_a_clock_that_was_set_back_is_told_but_proves_nothing(held):
    lines = held.raw()
    late = [edited(raw, clock_utc="2020-01-01T00:00:00.000000Z") for raw in lines[25:]]
    held.put_chained(lines[:25] + late)
    assert held.codes() == []
    assert held.advice() == ["wall_clock_set_back"]
