"""The sensors: which folder becomes a partition and a run, and what is said of the others."""

from __future__ import annotations

import time

import dagster as dg

from playe_assets.defs.resources import Laboratory
from playe_assets.defs.sensors import evidence_drop


def tick(instance, cursor=None):
    return evidence_drop(dg.build_sensor_context(instance=instance, cursor=cursor), laboratory=Laboratory())


def test_an_empty_inbox_is_made_and_skipped(laboratory, instance):
    answer = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "nothing new in the inbox"
    assert laboratory.settings.inbox.is_dir()
    assert time.time() - laboratory.settings.inbox.stat().st_ctime < 60
