"""Measuring clips: frames with the one before them in their shot, series beside the table, what `finish` says."""

from __future__ import annotations

import dataclasses
import io
from array import array
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from playe_assets.core.contracts import Column, Frame, Pair
from playe_assets.core.errors import IntegrityError
from playe_assets.core.presets import Output
from playe_assets.core.tracks import Seen, Shot
from playe_assets.core.values import (
    AiClass,
    Derivative,
    Exhibit,
    ExhibitStatus,
    MediaKind,
    Role,
    StreamFacts,
)
from playe_assets.examination.measure import Series
from playe_assets.examination.measure_found import Found
from playe_assets.examination.measure_pairs import Compared, Sides, pairs_of
from playe_assets.media.clip import read_clip
from playe_assets.media.clip_write import ClipWriter
from playe_assets.media.pixel_digest import frame_sha256
from playe_assets.media.time_ledger import LedgerFrame, write_time_ledger
from playe_assets_tests.conftest import Examined
from playe_assets_tests.laboratory import OUTPUT, TestLaboratory

FACTS = StreamFacts("matroska,webm", "ffv1", "bgr0", 8, 64, 48, frame_count=20, orientation=6)


def clip(folder: Path, name: str, frames: int, add: int = 0, output: Output = OUTPUT) -> Path:
    """A master whose frame n is a slope plus n (plus `add`)."""
    path = folder / name
    slope = np.add.outer(np.arange(48), np.arange(64))[:, :, None].repeat(3, axis=2)
    with ClipWriter(path, Fraction(1, 25), output) as out:
        for n in range(frames):
            out.add(Frame(n, n, (slope + n + add).astype(np.uint8)))
    return path


def sides(laboratory: TestLaboratory, folder: Path, frames: int = 20, made: int = 20) -> tuple[object, Sides]:
    stage = laboratory.stage("MEASURE-1")
    stage.folder.root.mkdir(parents=True, exist_ok=True)
    source, size = stage.store.adopt(clip(folder, "source.mkv", frames))
    master, _ = stage.store.adopt(clip(folder, "master.mkv", made, add=3))
    with av.open(str(stage.store.path(source))) as opened:
        base = opened.streams.video[0].time_base
    facts = dataclasses.replace(FACTS, time_base=f"{base.numerator}/{base.denominator}")
    exhibit = Exhibit(
        "E001", "61", "a", source, size, 1, Role.EXHIBIT, ExhibitStatus.ACCEPTED, MediaKind.CLIP, facts
    )
    derivative = Derivative("D001", "E001", "master", master, 1, "video/x-matroska", (source,), AiClass.NONE)
    return stage, Sides(exhibit, derivative, None)


def test_each_compared_frame_comes_upright_with_the_one_before_it_in_its_shot(laboratory, tmp_path):
    stage, both = sides(laboratory, tmp_path)
    found = Found(
        shots=(Shot(0, 0, 9), Shot(1, 10, 19)),
        tracks=lambda frame, pts: (Seen(frame, "face", 0.0, 0.0, 4.0, 4.0),),
    )
    compared = list(pairs_of(stage, both, found, 0.2))
    assert [c.frame for c in compared] == [0, 5, 10, 15, 19]
    ticks = Fraction(1, 25) / Fraction(both.exhibit.facts.time_base)
    assert [c.pts for c in compared] == [ticks * c.frame for c in compared]
    assert [c.shot for c in compared] == [0, 0, 1, 1, 1]
    assert [c.pair.previous is None for c in compared] == [
        True,
        False,
        True,
        False,
        False,
    ]  # 10 begins a shot
    for c in compared:
        assert c.pair.exhibit.shape == (64, 48, 3)  # turned by its orientation
        assert int(c.pair.exhibit.min()) == c.frame
        assert int(c.pair.derivative.min()) == c.frame + 3
        assert [s.track for s in c.pair.tracks] == [c.frame]
        last = c.pair.previous
        if last is not None:
            assert last.previous is None
            assert last.exhibit.shape == (64, 48, 3)
            assert (int(last.exhibit.min()), int(last.derivative.min())) == (c.frame - 1, c.frame + 2)


def test_without_known_cuts_every_frame_but_the_first_has_one_before_it(laboratory, tmp_path):
    stage, both = sides(laboratory, tmp_path)
    compared = list(pairs_of(stage, both, Found(), 0.04))
    assert len(compared) == 20
    assert [c.pair.previous is None for c in compared] == [True] + [False] * 19


def test_every_frame_that_is_read_counts_as_progress_though_few_are_compared(laboratory, tmp_path):
    stage, both = sides(laboratory, tmp_path)
    read = []
    compared = list(pairs_of(stage, both, Found(), 10.0, lambda: read.append(None)))
    assert (len(read), len(compared)) == (20, 2)


@pytest.mark.parametrize("made", [19, 21])
def test_a_master_with_another_number_of_frames_is_refused(laboratory, tmp_path, made):
    stage, both = sides(laboratory, tmp_path, made=made)
    with pytest.raises(IntegrityError) as caught:
        list(pairs_of(stage, both, Found(), 10.0))
    assert caught.value.code == "measure.frame_counts"


def test_a_master_with_a_frame_that_was_not_written_is_refused_and_the_frame_is_named(laboratory, tmp_path):
    stage, both = sides(laboratory, tmp_path)
    with read_clip(stage.store.path(both.derivative.sha256)) as clip_:
        digests = [frame_sha256(f.pixels) for f in clip_]

    def with_ledger(written: list[str]) -> Sides:
        rows = [LedgerFrame(n, n, n, n, "0" * 64, d) for n, d in enumerate(written)]
        data = write_time_ledger(rows, Fraction(1, 25))
        ledger = dataclasses.replace(both.derivative, kind="ledger", sha256=stage.store.put_bytes(data),
                                     suffix=".parquet")  # fmt: skip
        return dataclasses.replace(both, ledger=ledger)

    assert len(list(pairs_of(stage, with_ledger(digests), Found(), 10.0))) == 2
    digests[7] = "f" * 64
    with pytest.raises(IntegrityError) as caught:
        list(pairs_of(stage, with_ledger(digests), Found(), 10.0))
    assert (caught.value.code, caught.value.facts["frame"]) == ("measure.frame_changed", 7)


def test_a_series_keeps_what_was_not_told_as_null_and_its_columns_say_how_they_become_one_value():
    columns = (Column("a", "1", None, None, "none"), Column("b", "1", None, None, "none", over="max"))
    series = Series(columns)
    pixels = np.zeros((2, 2, 1), np.uint8)
    for n, values in enumerate(({"a": None, "b": 1.0}, {"a": 2.0, "b": 7.0}, {"a": 4.0, "b": None})):
        series.add(Compared(Pair(pixels, pixels, None), n * 5, n * 100), values)
    assert series.over() == {"a": 3.0, "b": 7.0}
    table = pd.read_parquet(io.BytesIO(series.parquet()))
    assert list(table.columns) == ["frame", "pts", "a", "b"]
    assert table["frame"].tolist() == [0, 5, 10]
    assert table["a"].isna().tolist() == [True, False, False]
    assert isinstance(series.values["a"], array)


def test_an_examined_clip_has_a_series_of_every_column_and_its_own_flicker(examined: Examined):
    stage = examined.laboratory.stage("MIXED-1")
    report = examined.laboratory.reports("MIXED-1")[-1]
    rows = {r["media"]: r for r in report["findings"]["metrics"]["rows"]}
    assert rows["photo"]["series"] is None
    assert rows["photo"]["warped_error_ratio"] is None
    table = pd.read_parquet(io.BytesIO(stage.store.get_bytes(rows["clip"]["series"])))
    assert len(table) == rows["clip"]["frames_compared"]
    assert {"frame", "pts", "warped_error_before", "luma_flicker_after"} <= set(table.columns)
    assert rows["clip"]["warped_error_ratio"] < 1.0  # fusion and denoising make it steadier
