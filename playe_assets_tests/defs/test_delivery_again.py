"""The same folder dropped a second time is a new delivery, not a run that Dagster has already had."""

from __future__ import annotations

import os
import shutil
import time

import dagster as dg

from playe_assets.defs.resources import Laboratory
from playe_assets.defs.sensors import evidence_drop

OLD_S = 1_700_000_000


def _tick(instance, laboratory, cursor=None):
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = evidence_drop(context, laboratory=laboratory)
    assert isinstance(result, dg.SensorResult)
    return result


def test_a_folder_that_comes_back_unchanged_gets_a_run_key_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYE_QUIET_S", "0.05")
    inbox, away = tmp_path / "inbox", tmp_path / "away"
    folder = inbox / "AGAIN-1"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"1")
    (folder / "case.yaml").write_text("case: AGAIN-1\nexhibits: [a.jpg]\n", encoding="utf-8")
    for path in folder.iterdir():
        os.utime(path, (OLD_S, OLD_S))
    laboratory = Laboratory(data_root=str(tmp_path / "data"), inbox=str(inbox))
    with dg.instance_for_test() as instance:
        time.sleep(0.1)
        first = _tick(instance, laboratory)
        waiting = evidence_drop(
            dg.build_sensor_context(instance=instance, cursor=first.cursor), laboratory=laboratory
        )
        assert isinstance(waiting, dg.SkipReason)
        shutil.move(folder, away)
        time.sleep(0.02)
        shutil.move(away, folder)
        time.sleep(0.1)
        second = _tick(instance, laboratory, first.cursor)
    keys = [r.run_key for tick in (first, second) for r in tick.run_requests]
    assert len(set(keys)) == 2
    case, fingerprint, _ = keys[0].split(":")
    assert keys[1].startswith(f"{case}:{fingerprint}:")
