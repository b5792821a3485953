"""Operations: a line when they start, a line when they end or fail, every field of the record on both."""

from __future__ import annotations

import pytest

from playe_assets.core.errors import UndecodableError
from playe_assets.custody.fields import FIELDS
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.record import Activity, Operator, Recorder

CHAIN = {"seq", "prev_hash", "clock_boottime", "clock_utc", "boot_id"}


def _recorder(path, audit="full"):
    return Recorder(
        CustodyLog(path / "events.jsonl"), request_id="R1", case_id="C1",
        operator=Operator("Anna", "operator", "os-user"),
        activity=Activity("detections", "C1", "run-1", "detections"), audit=audit,
    )  # fmt: skip


def _lines(recorder):
    return [entry for _, entry, _ in recorder.log.read()]


def test_start_and_end_share_an_operation_id_and_hold_every_field(tmp_path):
    recorder = _recorder(tmp_path)
    with recorder.record("processing.detect", exhibit="E001", step="detect", inputs=["a" * 64],
                            params={"size": 3}, ai_class="none") as work:  # fmt: skip
        work.outputs.append("b" * 64)
        work.metrics["face"] = 2
    start, end = _lines(recorder)
    for line in (start, end):
        assert set(line) == set(FIELDS) | CHAIN
        assert line["operator"] == {"id": "Anna", "role": "operator", "auth": "os-user"}
        assert line["activity"]["run_id"] == "run-1"
        assert line["activity"]["code_version"]
        assert (line["params"], line["exhibit"], line["input_sha256"]) == ({"size": 3}, "E001", ["a" * 64])
    assert start["op_id"] == end["op_id"]
    assert (start["status"], start["t_end_utc"], start["output_sha256"]) == ("started", None, [])
    assert (end["status"], end["output_sha256"], end["metrics"]) == ("ok", ["b" * 64], {"face": 2})
    assert end["t_start_utc"] == start["t_start_utc"] <= end["t_end_utc"]
    assert end["duration_ms"] >= 0
    assert recorder.seqs == work.seqs == [0, 1]


def test_a_failure_is_recorded_with_its_code_and_goes_on_up(tmp_path):
    recorder = _recorder(tmp_path)
    with pytest.raises(UndecodableError), recorder.record("processing.enhance", exhibit="E001"):
        raise UndecodableError("media.no_frames", file="x.mp4")
    start, end = _lines(recorder)
    assert (end["status"], end["op_id"]) == ("failed", start["op_id"])
    assert end["error"]["type"] == "UndecodableError"
    assert end["error"]["code"] == "media.no_frames"
    assert "x.mp4" in end["error"]["message"]


def test_an_error_that_is_not_ours_and_an_interruption_are_recorded_too(tmp_path):
    recorder = _recorder(tmp_path)
    for kind in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(kind), recorder.record("processing.gate"):
            raise kind
    assert [line["status"] for line in _lines(recorder)] == ["started", "failed", "started", "failed"]
    assert [line["error"]["type"] for line in _lines(recorder)[1::2]] == [
        "ZeroDivisionError",
        "KeyboardInterrupt",
    ]


def test_audit_mode_basic_leaves_out_parameters_and_environment_only(tmp_path):
    recorder = _recorder(tmp_path, "basic")
    with recorder.record("processing.detect", params={"size": 3}) as work:
        work.outputs.append("b" * 64)
    for line in _lines(recorder):
        assert set(line) == set(FIELDS) | CHAIN
        assert line["params"] is line["runtime"] is line["env"] is None
        assert line["operator"]["id"] == "Anna"
    assert _lines(recorder)[1]["output_sha256"] == ["b" * 64]
    assert recorder.log.verify() == (2, None)


def test_audit_mode_off_writes_nothing_and_makes_no_file(tmp_path):
    recorder = _recorder(tmp_path, "off")
    with recorder.record("processing.detect"):
        recorder.note("custody.received")
    assert not recorder.log.path.exists()
    assert recorder.seqs == []


def test_a_fact_that_is_so_already_is_a_pair_too(tmp_path):
    recorder = _recorder(tmp_path)
    recorder.note("custody.refused", step="intake", params={"reason": "fifo"}, output_sha256=["c" * 64])
    start, end = _lines(recorder)
    assert (start["status"], start["output_sha256"]) == ("started", [])
    assert (end["status"], end["output_sha256"], end["op_id"]) == ("ok", ["c" * 64], start["op_id"])
    assert set(end) == set(FIELDS) | CHAIN


def test_the_record_of_what_failed_elsewhere_ends_as_failed_without_raising(tmp_path):
    recorder = _recorder(tmp_path)
    recorder.note(
        "processing.run_failed", step="detections", error={"type": "RunFailure", "code": "x", "message": "y"}
    )
    start, end = _lines(recorder)
    assert (start["status"], start["error"]) == ("started", None)
    assert (end["status"], end["error"]["code"]) == ("failed", "x")


def test_an_event_or_a_field_that_nobody_listed_is_refused_before_anything_is_done(tmp_path):
    recorder = _recorder(tmp_path, "off")
    for event, given in (("processing.unheard_of", {}), ("processing.gate", {"sead": 3})):
        with pytest.raises(ValueError, match=r"custody/fields\.py"), recorder.record(event, **given):
            pytest.fail("the operation began")


class _Refusing:
    """A log that takes the first `most` entries; then the disk is full."""

    def __init__(self, most):
        self.entries, self.most = [], most

    def append(self, entries):
        if len(self.entries) >= self.most:
            raise OSError(28, "No space left on device")
        self.entries += entries
        return [len(self.entries) - 1]


def _refusing(path, most):
    recorder = _recorder(path)
    recorder.log = _Refusing(most)
    return recorder


def test_an_operation_whose_start_cannot_be_recorded_does_not_begin(tmp_path):
    with pytest.raises(OSError, match="No space"), _refusing(tmp_path, 0).record("processing.gate"):
        pytest.fail("the operation began")


def test_an_operation_whose_end_cannot_be_recorded_does_not_count_as_done(tmp_path):
    recorder = _refusing(tmp_path, 1)
    with pytest.raises(OSError, match="No space"), recorder.record("processing.gate"):
        pass
    assert [e["status"] for e in recorder.log.entries] == ["started"]


def test_an_error_of_recording_never_hides_the_operation_s_own(tmp_path):
    recorder = _refusing(tmp_path, 1)
    with pytest.raises(UndecodableError) as caught, recorder.record("processing.enhance"):
        raise UndecodableError("media.no_frames", file="x.mp4")
    (note,) = caught.value.__notes__
    assert "not this failure" in note and "No space left" in note
