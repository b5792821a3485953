"""A clip worked in segments gives the same bits as in one piece, wherever it is cut."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.core.presets import preset_names
from playe_assets.examination.clips import pipeline
from playe_assets.examination.clips.clip import ClipJob
from playe_assets.examination.clips.parts import FRAMES as PART_FRAMES
from playe_assets.examination.clips.parts import Parts
from playe_assets.media.clip import read_clip
from playe_assets.media.pixel_digest import frame_sha256
from playe_assets_tests.examination.clips.jobs import (
    CUT,
    FRAMES,
    Mixed,
    cut,
    fake,
    job_for,
    real,
    together,
    whole_preset,
    worked,
    write_source,
)

CHAINS = {
    "no step": (),
    "one frame": (fake(1),),
    "far": (fake(5),),
    "three": (fake(1), fake(3), fake(2)),
    "fusion between": (fake(1), real("fusion"), fake(2)),
    "forensic safe": tuple(real(n) for n in ("orient", "fusion", "nlm", "lanczos", "local_contrast")),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_source(tmp_path_factory.mktemp("source") / "clip.mkv")


@pytest.mark.parametrize("chain", CHAINS)
def test_two_passes_meet_at_every_border_as_one_pass_does(source, tmp_path, chain):
    steps = CHAINS[chain]
    job = job_for(source, steps)
    whole = together(worked(job, steps, cut(), tmp_path / "whole"))
    assert len(whole["pts"]) == FRAMES
    for border in range(1, FRAMES):
        parts = worked(job, steps, cut(border), tmp_path / f"{border}", apart=True)
        assert together(parts) == whole, f"cut before frame {border}"


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize("apart", [False, True])
def test_any_length_of_segments_gives_the_same_frames(source, tmp_path, length, apart):
    steps = CHAINS["fusion between"]
    job = job_for(source, steps)
    whole = together(worked(job, steps, cut(), tmp_path / "whole"))
    parts = worked(job, steps, cut(*range(length, FRAMES, length)), tmp_path / "parts", apart)
    assert len(parts) == -(-FRAMES // length)
    assert together(parts) == whole


def test_parts_hold_the_same_bytes_whichever_others_were_there(source, tmp_path):
    steps = CHAINS["three"]
    job = job_for(source, steps)
    segments = cut(4, 8, 12, 16)
    expected = [p.files for p in worked(job, steps, segments, tmp_path / "all")]
    for count in range(1, len(segments)):
        for chosen in itertools.combinations(segments, count):
            root = tmp_path / "-".join(str(s.number) for s in chosen)
            assert [p.files for p in worked(job, steps, chosen, root)] == [
                expected[s.number - 1] for s in chosen
            ]


def test_the_depth_of_the_queues_changes_nothing(source, tmp_path, monkeypatch):
    steps = CHAINS["fusion between"]
    job, found = job_for(source, steps), []
    for depth in (1, 2, 9):
        monkeypatch.setattr(pipeline.overlapped, "__defaults__", (depth,))
        found.append([p.files for p in worked(job, steps, cut(8, 16), tmp_path / str(depth))])
    assert found[0] == found[1] == found[2]


def test_a_part_holds_the_frames_that_its_digests_name(source, tmp_path):
    steps = CHAINS["three"]
    segments = cut(8, 16)
    parts = worked(job_for(source, steps), steps, segments, tmp_path / "parts")
    for segment, part in zip(segments, parts, strict=True):
        folder = Parts(tmp_path / "parts").folder(f"{segment.number:04d}")
        assert [frame_sha256(f.pixels) for f in read_clip(folder / PART_FRAMES)] == list(part.output)
        contributors = [frame_sha256(f.pixels) for f in read_clip(folder / "contributors.mkv")]
        assert contributors == list(part.planes["contributors"].sha256)
    assert [p.shown for p in parts] == [0, FRAMES // 2, None]
    assert [frame_sha256(f.pixels) for f in read_clip(source)] == [s for p in parts for s in p.source]


def test_frames_that_never_come_leave_empty_parts_and_more_than_promised_join_the_last(source, tmp_path):
    steps = CHAINS["three"]
    whole = together(worked(job_for(source, steps), steps, cut(), tmp_path / "whole"))
    promised_more = cut(8, 16, 24, 32, frames=40)
    parts = worked(job_for(source, steps), steps, promised_more, tmp_path / "more", apart=True)
    assert [len(p.pts) for p in parts] == [8, 8, FRAMES - 16, 0, 0]
    assert together(parts) == whole
    parts = worked(job_for(source, steps), steps, cut(8, frames=10), tmp_path / "fewer", apart=True)
    assert [len(p.pts) for p in parts] == [8, FRAMES - 8]
    assert together(parts) == whole


def test_what_one_step_states_of_a_frame_the_steps_after_it_keep(source, tmp_path):
    steps = CHAINS["forensic safe"]
    found = together(worked(job_for(source, steps), steps, cut(), tmp_path / "parts"))
    assert found["shot"] == [0] * CUT + [1] * (FRAMES - CUT)
    assert set(found["kind"]) == {"fused"}
    assert all(n > 1 for n in found["fused_from"])


@pytest.mark.parametrize("preset", preset_names())
def test_every_shipped_preset_gives_the_same_frames_in_segments(source, tmp_path, preset):
    steps = whole_preset(preset)
    job = job_for(source, steps)
    whole = together(worked(job, steps, cut(), tmp_path / "whole"))
    parts = worked(job, steps, cut(4, CUT, 15), tmp_path / "parts", apart=True)
    assert together(parts) == whole


class Losing(Mixed):
    """Swallows a frame."""

    name = "losing"
    lost = 5

    def stream(self, frames):
        yield from (f for f in frames if f.index != self.lost)


LOST = [(0, "clips.frame_order"), (5, "clips.frame_order"), (20, "clips.frames_lost")]


@pytest.mark.parametrize(("lost", "code"), LOST)
def test_a_step_that_loses_a_frame_is_found_out(source, tmp_path, monkeypatch, lost, code):
    monkeypatch.setattr(Losing, "lost", lost)
    steps = (replace(fake(0), cls=Losing),)
    job: ClipJob = job_for(source, steps)
    with pytest.raises(IntegrityError) as found:
        worked(job, steps, cut(), tmp_path / "parts")
    assert found.value.code == code


def test_a_frame_is_said_to_be_made_of_the_frames_that_two_steps_saw_together(source, tmp_path):
    steps = (real("fusion"), real("temporal_denoise", "balanced"))
    (part,) = worked(job_for(source, steps), steps, cut(), tmp_path / "two")
    assert set(part.kind) == {"fused"}
    for index, told in enumerate(part.fused_from):
        first, last = (0, CUT - 1) if index < CUT else (CUT, FRAMES - 1)
        within = min(last, index + 4) - max(first, index - 4) + 1  # two steps of radius 2
        alone = min(last, index + 2) - max(first, index - 2) + 1
        assert alone < told <= within if within > alone else told == alone, f"frame {index}"
    assert max(part.fused_from) == 9
