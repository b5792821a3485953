"""Reports about real photographs and surveillance clips, run again: L0 in two folders with different threads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import dagster as dg
import pytest

from playe_assets_tests.laboratory import examine, failures, opened
from playe_assets_tests.reports import again, levels, report_path, scrambled, stranger

pytestmark = pytest.mark.shared_data


def _begun(source: Path, goal: Path, packets: int) -> None:
    """The first packets of a clip in a file of its own; nothing is decoded or encoded."""
    with av.open(str(source)) as taken, av.open(str(goal), "w") as made:
        stream = taken.streams.video[0]
        copied = made.add_stream_from_template(stream)
        for number, packet in enumerate(taken.demux(stream)):
            if number >= packets or packet.dts is None:
                break
            packet.stream = copied
            made.mux(packet)


def _evidence(shared_data: Path, folder: Path, clip: str, packets: int) -> Path:
    folder.mkdir()
    shutil.copy(shared_data / "media/faces_officials/examples/obama-240p.jpg", folder / "face.jpg")
    _begun(shared_data / "media" / clip, folder / f"camera{Path(clip).suffix}", packets)
    (folder / "case.yaml").write_text("case: REAL-1\n", encoding="utf-8")
    return folder


def _comes_out_equal(shared_data: Path, root: Path, clip: str, packets: int) -> None:
    folder = _evidence(shared_data, root / "evidence", clip, packets)
    with opened(root / "lab") as laboratory, dg.DagsterInstance.ephemeral() as instance:
        result = examine(instance, "REAL-1", folder, threads=2)
        assert result.success, failures(result)
        report = json.loads(report_path(laboratory, "REAL-1").read_bytes())
    originals = scrambled(folder, root / "originals")
    for threads, place in ((1, root / "one"), (4, root / "elsewhere" / "two")):
        found = again(report, stranger(root), originals, place, threads=threads)
        assert found.stopped is None, found.stopped.said("en")
        assert set(levels(found).values()) == {"L0"}, [
            (v.kind, v.why and v.why.said("en")) for v in found.verdicts
        ]
        assert found.holds and found.claims == [] and found.examination_now == found.examination_then
        assert all(v.file_equal for v in found.verdicts)
        shutil.rmtree(place)


def test_a_real_photograph_and_a_real_clip_come_out_equal(shared_data, tmp_path):
    _comes_out_equal(shared_data, tmp_path, "cctv_intel/bottle-detection.mp4", 10)


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["cctv_dvrscan/traffic_camera_vfr.mp4", "cctv_intel/car-detection.mp4"])
def test_longer_real_clips_come_out_equal(shared_data, tmp_path, clip):
    _comes_out_equal(shared_data, tmp_path, clip, 45)
