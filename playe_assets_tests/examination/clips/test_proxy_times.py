"""The time ledger of a worked clip states when each frame of the viewing copy is shown, as the file itself says."""

from __future__ import annotations

from dataclasses import replace

from playe_assets.examination.detect import detect
from playe_assets.examination.enhance import enhance
from playe_assets.examination.ingest import ingest
from playe_assets.examination.judge import Manifests, judge, passed
from playe_assets.media.ledger_columns import read_ledger_columns
from playe_assets.media.proxy import packet_times
from playe_assets_tests.laboratory import write_clip

FRAMES = 10


def test_the_viewing_copys_packets_stand_in_the_ledger_and_the_gate_counts_them(laboratory, tmp_path):
    write_clip(tmp_path / "CLIP-1" / "a.mp4", FRAMES)
    stage = laboratory.stage("CLIP-1", threads=1)
    taken = ingest(stage, tmp_path / "CLIP-1", None, in_place=True)
    seen = detect(stage, taken.sha256)
    enhanced = enhance(stage, taken.sha256, seen.sha256).manifest
    made = {d.kind: d for d in enhanced.derivatives}
    account = read_ledger_columns(stage.store.get_bytes(made["ledger"].sha256))
    base = account.clock.proxy_time_base
    times = account.proxy_written_pts
    assert base is not None and times is not None
    assert times.tolist() == packet_times(stage.store.path(made["proxy"].sha256), base).tolist()
    assert [int(t) * base - account.clock.proxy_shift for t in times] == [
        int(p) * account.clock.time_base for p in account.source_pts
    ]

    def timed(manifest):
        return passed(
            judge(stage, "enhanced_frames", Manifests(taken.manifest, seen.manifest, manifest))["timing"]
        )

    assert made["proxy"].frame_count == FRAMES and timed(enhanced)
    fewer = tuple(
        replace(d, frame_count=FRAMES - 1) if d.kind == "proxy" else d for d in enhanced.derivatives
    )
    assert not timed(replace(enhanced, derivatives=fewer))
