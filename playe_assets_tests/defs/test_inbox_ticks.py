"""Ticks of the inbox sensor in less usual company: two deliveries of a case, hidden folders, a folder that left."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from playe_assets.defs.resources import Laboratory
from playe_assets.defs.sensors import evidence_drop
from playe_assets_tests.laboratory import write_case

QUIET_S = "0.1"


@pytest.fixture
def inbox(laboratory, monkeypatch):
    """The inbox of a laboratory that waits tenths of a second instead of half a minute."""
    monkeypatch.setenv("PLAYE_QUIET_S", QUIET_S)
    monkeypatch.setenv("PLAYE_SETTLE_S", QUIET_S)
    laboratory.settings.inbox.mkdir(parents=True)
    return laboratory.settings.inbox


def tick(instance, cursor=None):
    return evidence_drop(dg.build_sensor_context(instance=instance, cursor=cursor), laboratory=Laboratory())


def test_two_deliveries_of_one_case_in_one_tick_name_its_partition_once(inbox, instance):
    write_case(inbox / "first", "SAME-1")
    write_case(inbox / "second", "SAME-1", photos=2)
    answer = tick(instance)
    assert [r.partition_key for r in answer.run_requests] == ["SAME-1", "SAME-1"]
    assert list(answer.dynamic_partitions_requests[0].partition_keys) == ["SAME-1"]


def test_a_folder_that_still_changes_waits_for_quiet(inbox, instance, monkeypatch):
    monkeypatch.setenv("PLAYE_SETTLE_S", "600")
    folder = inbox / "GROW-1"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"1")
    answer = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert "GROW-1: 1 files, quiet in" in answer.skip_message


def test_a_hidden_folder_and_a_loose_file_are_left_alone(inbox, instance):
    write_case(inbox / ".copying", "HIDDEN-1")
    (inbox / "loose.jpg").write_bytes(b"1")
    answer = tick(instance)
    assert answer.skip_message == "nothing new in the inbox"
    assert {p.name for p in inbox.iterdir()} == {".copying", "loose.jpg"}


def test_the_cursor_forgets_what_has_left_the_inbox(inbox, instance):
    write_case(inbox / "one", "CURSOR-1")
    first = tick(instance)
    assert json.loads(first.cursor) == {"one": first.run_requests[0].run_key}
    assert tick(instance).run_requests[0].run_key == first.run_requests[0].run_key
    (inbox / "one").rename(inbox.parent / "taken")
    resources = {"laboratory": Laboratory()}
    context = dg.build_sensor_context(instance=instance, cursor=first.cursor, resources=resources)
    answer = evidence_drop.evaluate_tick(context)
    assert answer.run_requests == []
    assert json.loads(answer.cursor) == {}
