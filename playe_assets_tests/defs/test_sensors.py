"""The sensors: which folder becomes a partition and a run, and what is said of the others."""

from __future__ import annotations

import json
import time

import dagster as dg
import pytest

from playe_assets.definitions import defs
from playe_assets.defs.resources import Laboratory
from playe_assets.defs.sensors import evidence_drop, failed_examination
from playe_assets_tests.laboratory import examine, write_case


def tick(instance, cursor=None):
    return evidence_drop(dg.build_sensor_context(instance=instance, cursor=cursor), laboratory=Laboratory())


def test_an_empty_inbox_is_made_and_skipped(laboratory, instance):
    answer = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "nothing new in the inbox"
    assert laboratory.settings.inbox.is_dir()
    assert time.time() - laboratory.settings.inbox.stat().st_ctime < 60


@pytest.fixture
def inbox(laboratory, monkeypatch):
    """The inbox of a laboratory whose folders are ready after a blink."""
    monkeypatch.setenv("PLAYE_QUIET_S", "0.05")
    monkeypatch.setenv("PLAYE_SETTLE_S", "0.05")
    laboratory.settings.inbox.mkdir(parents=True)
    return laboratory.settings.inbox


def drop(inbox, case_id, **keys):
    return write_case(inbox / case_id, case_id, **keys)


def test_a_ready_folder_becomes_a_partition_and_a_run_with_a_key_of_its_own(inbox, instance):
    folder = drop(inbox, "READY-1", operator="Olga", preset="balanced")
    time.sleep(0.1)
    answer = tick(instance)
    assert isinstance(answer, dg.SensorResult)
    (request,) = answer.run_requests
    assert request.partition_key == "READY-1"
    assert request.run_key.startswith("READY-1:")
    assert request.tags["playe/case"] == "READY-1"
    assert request.tags["playe/operator"] == "Olga"
    assert request.tags["playe/operator_auth"] == "case-file"
    assert request.tags["playe/preset"] == "balanced"
    assert request.tags["playe/delivery"] == str(folder)
    assert request.tags["playe/request_id"].startswith("drop-")
    (partitions,) = answer.dynamic_partitions_requests
    assert (partitions.partitions_def_name, list(partitions.partition_keys)) == ("cases", ["READY-1"])


def test_the_cursor_survives_a_restart_and_nothing_is_asked_for_twice(inbox, instance):
    drop(inbox, "READY-1")
    time.sleep(0.1)
    first = tick(instance)
    assert len(first.run_requests) == 1
    again = tick(instance, first.cursor)  # a new context, as after a restart of the daemon
    assert isinstance(again, dg.SkipReason)
    drop(inbox, "READY-2")
    time.sleep(0.1)
    third = tick(instance, first.cursor)
    assert [r.partition_key for r in third.run_requests] == ["READY-2"]
    assert set(json.loads(third.cursor)) == {"READY-1", "READY-2"}


def test_two_folders_in_one_tick_become_two_runs(inbox, instance):
    drop(inbox, "READY-1")
    drop(inbox, "READY-2")
    time.sleep(0.1)
    answer = tick(instance)
    assert [r.partition_key for r in answer.run_requests] == ["READY-1", "READY-2"]
    assert len({r.run_key for r in answer.run_requests}) == 2


def test_a_half_copied_folder_waits_and_the_tick_says_for_what(inbox, instance):
    folder = drop(inbox, "HALF-1", title="half")
    photo = folder / "secret_name_1.jpg"
    whole = photo.read_bytes()
    photo.write_bytes(whole[:100])
    time.sleep(0.1)
    answer = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert f"waiting for entry 1 of 1: has 100 bytes, listed are {len(whole)}" in answer.skip_message
    assert "secret_name" not in answer.skip_message, (
        "a tick is kept by Dagster, where erasing a case does not reach"
    )
    photo.write_bytes(whole)
    time.sleep(0.1)
    assert [r.partition_key for r in tick(instance).run_requests] == ["HALF-1"]


def test_a_bad_case_file_moves_the_folder_aside_with_the_reason_and_does_not_stop_the_others(
    inbox, instance, laboratory
):
    bad = drop(inbox, "BAD-1")
    (bad / "case.yaml").write_text("case: BAD-1\nprest: balanced\n", encoding="utf-8")
    drop(inbox, "GOOD-1")
    time.sleep(0.1)
    answer = tick(instance)
    assert [r.partition_key for r in answer.run_requests] == ["GOOD-1"]
    moved = laboratory.settings.rejected / "BAD-1"
    assert not bad.exists()
    assert (moved / "secret_name_1.jpg").is_file()
    assert "case.yaml, line 2: there is no key 'prest'" in (moved / "REASON.txt").read_text(encoding="utf-8")


def test_a_mark_on_a_file_that_is_not_there_moves_the_folder_aside_and_the_tick_names_no_file(
    inbox, instance, laboratory
):
    bad = drop(inbox, "MARK-1")
    with (bad / "case.yaml").open("a", encoding="utf-8") as file:
        file.write("marks:\n  - {file: gone.mp4, frame: 0, box: [0, 0, 9, 9], label: plate}\n")
    line = len((bad / "case.yaml").read_text(encoding="utf-8").splitlines())
    time.sleep(0.1)
    answer = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    told = f"case.yaml, line {line}: the mark is on"
    assert told in answer.skip_message and "gone" not in answer.skip_message
    reason = (laboratory.settings.rejected / "MARK-1" / "REASON.txt").read_text(encoding="utf-8")
    assert f"{told} gone.mp4" in reason and "Correct the name or add the file" in reason
    assert not bad.exists()


def test_a_tick_that_only_rejects_says_so(inbox, instance):
    bad = drop(inbox, "BAD-1")
    (bad / "case.yaml").write_text("case: [1]\n", encoding="utf-8")
    time.sleep(0.1)
    answer = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert "BAD-1: rejected, see rejected/BAD-1/REASON.txt: case.yaml, line 1" in answer.skip_message


def test_more_folders_than_a_tick_takes_are_taken_by_the_next(inbox, instance):
    for number in range(12):
        folder = inbox / f"MANY-{number:02d}"
        folder.mkdir()
        (folder / "a.bin").write_bytes(b"x")
    time.sleep(0.1)
    first = tick(instance)
    second = tick(instance, first.cursor)
    assert (len(first.run_requests), len(second.run_requests)) == (10, 2)


def test_a_failed_run_is_written_into_the_log_and_the_case(laboratory, instance, small_case):
    assert examine(instance, "SMALL-1", small_case, select=["ingested_media"]).success
    tags = {"playe/request_id": "request-7", "playe/operator": "Olga", "playe/preset": "no_such",
            "dagster/partition": "SMALL-1"}  # fmt: skip
    job = defs.resolve_job_def("examine_case")
    result = job.execute_in_process(
        instance=instance, partition_key="SMALL-1", tags=tags, raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )  # fmt: skip
    assert not result.success
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_examination",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()
    failed_examination(context, laboratory=Laboratory())
    line = laboratory.log("SMALL-1")[-1]
    assert line["status"] == "failed"
    assert (line["event"], line["step"]) == ("processing.run_failed", "ingested_media")
    assert (line["request_id"], line["operator"]["id"]) == ("request-7", "Olga")
    assert line["error"]["code"] == "preset.unknown"
    assert line["error"]["message"].startswith("There is no preset 'no_such'.")
    (failure,) = laboratory.case("SMALL-1").read().failures
    assert (failure.run_id, failure.asset, failure.code) == (
        result.run_id,
        "ingested_media",
        "preset.unknown",
    )
    assert failure.message == line["error"]["message"]


def recorded(laboratory, event):
    """(case, status, operator's id, metrics, checks) of every line of `event`."""
    return [(e["case_id"], e["status"], e["operator"]["id"], e["metrics"], e["checks"])
            for e in laboratory.log() if e["event"] == event]  # fmt: skip


def test_what_a_tick_asks_for_is_recorded_once(inbox, instance, laboratory):
    drop(inbox, "READY-1", operator="Olga")
    time.sleep(0.1)
    first = tick(instance)
    tick(instance, first.cursor)
    size = (inbox / "READY-1" / "secret_name_1.jpg").stat().st_size
    start, end = recorded(laboratory, "processing.run_requested")
    assert start == ("READY-1", "started", "Olga", None, None)
    assert end == ("READY-1", "ok", "Olga", {"files": 1, "bytes": size}, None)
    (request,) = first.run_requests
    assert {e["request_id"] for e in laboratory.log()} == {request.tags["playe/request_id"]}
    assert {e["params"]["run_key"] for e in laboratory.log()} == {request.run_key}


def test_a_rejection_is_recorded_with_its_reason(inbox, instance, laboratory):
    bad = drop(inbox, "BAD-1")
    (bad / "case.yaml").write_text("case: [1]\n", encoding="utf-8")
    time.sleep(0.1)
    tick(instance)
    _, (case_id, status, operator, _, checks) = recorded(laboratory, "custody.drop_rejected")
    assert (case_id, status, operator) == (None, "ok", "unknown")
    assert checks[0]["reason"].startswith("case.yaml, line 1")
    assert (laboratory.settings.rejected / "BAD-1").is_dir()


def test_a_folder_that_cannot_be_moved_aside_does_not_fill_the_log(inbox, instance, laboratory, monkeypatch):
    from playe_assets.defs import sensors

    bad = drop(inbox, "BAD-1")
    (bad / "case.yaml").write_text("case: [1]\n", encoding="utf-8")
    time.sleep(0.1)

    def refusing(_item, _settings):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(sensors, "reject", refusing)
        cursor, resources = None, {"laboratory": Laboratory()}
        for _ in range(3):
            context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
            answer = evidence_drop.evaluate_tick(context)
            assert "BAD-1: cannot be moved to rejected/" in answer.skip_message
            cursor = answer.cursor
        assert [line[1] for line in recorded(laboratory, "custody.drop_rejected")] == ["started", "failed"]
        patch.setattr(sensors, "_may_move", lambda *_: "other rights than before")
        tick(instance, cursor)
    assert len(recorded(laboratory, "custody.drop_rejected")) == 4
    tick(instance)
    assert recorded(laboratory, "custody.drop_rejected")[-1][1] == "ok"


def test_a_run_is_not_asked_for_where_that_cannot_be_recorded(inbox, instance, laboratory, monkeypatch):
    from playe_assets.custody.log import CustodyLog

    drop(inbox, "READY-1")
    time.sleep(0.1)

    def full(_self, _entries):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(CustodyLog, "append", full)
        with pytest.raises(OSError, match="No space"):
            tick(instance)
    assert len(tick(instance).run_requests) == 1
