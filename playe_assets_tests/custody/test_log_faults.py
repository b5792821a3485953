"""Writers that are killed, disks that fail: no acknowledged line is lost, and after a failed fsync nobody goes on."""

from __future__ import annotations

import errno

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.custody.log import CustodyLog
from playe_assets_tests.custody import log_faults
from playe_assets_tests.custody.log_faults import LOG, disk, fill, kill_writers


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The faulty disk."""
    found = log_faults.compiled(tmp_path_factory.mktemp("disk"))
    if found is None:
        pytest.skip("no C compiler (gcc or cc) to build the faulty disk with")
    return found


def _holds(folder, told) -> int:
    log = CustodyLog(folder / LOG)
    log.append([{"event": "after"}])
    count, finding = log.verify()
    assert finding is None
    assert told.lost(log) == []
    assert told.acknowledged
    return count


def test_writers_that_are_killed_lose_no_acknowledged_line(tmp_path):
    told = kill_writers(tmp_path, 8, seed=1)
    assert told.kills == 8
    _holds(tmp_path, told)


def test_writers_that_are_killed_while_the_log_is_rotated_lose_no_acknowledged_line(tmp_path):
    told = kill_writers(tmp_path, 8, seed=2, rotate=3000)
    _holds(tmp_path, told)
    assert len(CustodyLog(tmp_path / LOG).files()) > 3


def test_what_is_acknowledged_was_synced_so_a_loss_of_power_loses_none(tmp_path, library):
    told = kill_writers(tmp_path, 8, seed=3, library=library)
    _holds(tmp_path, told)


def test_writes_that_take_half_of_the_bytes_are_completed(tmp_path, library):
    told = fill(tmp_path, disk(library, fault="short"), 3, 30)
    assert (len(told.acknowledged), told.failures) == (90, [])
    assert _holds(tmp_path, told) == 91


def test_a_full_disk_is_told_and_the_log_goes_on_when_there_is_space(tmp_path, library):
    told = fill(tmp_path, disk(library, fault="enospc", after=10, times=3), 3, 40)
    assert set(told.failures) == {str(errno.ENOSPC)}
    assert len(told.acknowledged) == 120 - len(told.failures)
    _holds(tmp_path, told)
    torn = [e for _, e, _ in CustodyLog(tmp_path / LOG).read() if e and e["event"] == "log.torn"]
    assert torn, "what was written in part is closed and acknowledged"


def test_after_a_failed_fsync_every_process_stops_and_a_new_one_goes_on(tmp_path, library):
    idle = CustodyLog(tmp_path / LOG)
    idle.append([{"event": "first"}])
    told = fill(tmp_path, disk(library, fault="eio", after=15), 3, 200)
    assert str(errno.EIO) in told.failures
    assert set(told.failures) == {str(errno.EIO), "custody.poisoned"}
    assert len(told.acknowledged) < 200
    for refused in (idle.head, lambda: idle.append([{"event": "x"}]), CustodyLog(tmp_path / LOG).head):
        with pytest.raises(IntegrityError) as caught:
            refused()
        assert caught.value.code == "custody.poisoned"
        assert str(tmp_path / LOG) in str(caught.value)
    more = fill(tmp_path, {}, 2, 20)  # processes that start later, on a disk that works again
    assert more.failures == []
    log = CustodyLog(tmp_path / LOG)
    assert log.verify()[1] is None
    assert (told.lost(log), more.lost(log)) == ([], [])
    resumed = [e["written_again_bytes"] for _, e, _ in log.read() if e and e["event"] == "log.resumed"]
    assert resumed
    assert max(resumed) > 0


def test_a_disk_that_keeps_failing_lets_no_process_go_on(tmp_path, library):
    fill(tmp_path, {}, 1, 3)
    broken = disk(library, fault="eio")
    for _ in range(3):
        told = fill(tmp_path, broken, 1, 5)
        assert told.acknowledged == {}
        assert told.failures == [str(errno.EIO), *["custody.poisoned"] * 4]
    assert len(fill(tmp_path, {}, 1, 3).acknowledged) == 3
    assert CustodyLog(tmp_path / LOG).verify()[1] is None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "power", "rotated"])
def test_a_hundred_and_twenty_killed_writers_lose_no_acknowledged_line(tmp_path, library, how):
    told = kill_writers(
        tmp_path,
        120,
        seed=7,
        library=library if how == "power" else None,
        rotate=20_000 if how == "rotated" else 0,
    )
    assert told.kills >= 120
    _holds(tmp_path, told)
