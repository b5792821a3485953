"""A run that fails while the custody log takes nothing: what is said is why it failed, and that it is not recorded."""

from __future__ import annotations

import dagster as dg

from playe_assets.custody.log import CustodyLog
from playe_assets.defs.launch import examine_here
from playe_assets.defs.partitions import TAG_DELIVERY, TAG_PRESET


def test_the_error_of_the_run_is_not_hidden_by_that_of_its_record(laboratory, small_case, monkeypatch):
    real = CustodyLog.append

    def full(self, entries):
        if any(entry["event"] == "processing.run_failed" for entry in entries):
            raise OSError(28, "No space left on device")
        return real(self, entries)

    monkeypatch.setattr(CustodyLog, "append", full)
    tags = {TAG_DELIVERY: str(small_case), TAG_PRESET: "no_such"}
    with dg.DagsterInstance.local_temp(str(laboratory.home)) as instance:
        outcome = examine_here(instance, "SMALL-1", tags, lambda *_: None, lambda *_: None)
    assert not outcome.success
    assert outcome.error.startswith("There is no preset 'no_such'.")
    assert outcome.error.endswith("([Errno 28] No space left on device)")
