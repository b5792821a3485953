"""What a killed run had finished is used, what it had not is made, and the derivative is the same to the byte."""

from __future__ import annotations

import itertools
import json
import shutil

import pytest

from playe_assets.examination.clips.parts import Parts, parts_in
from playe_assets.examination.enhance import enhance
from playe_assets_tests.examination.clips.jobs import short_segments, taken_in
from playe_assets_tests.laboratory import write_clip

FRAMES, EACH = 11, 3  # three segments, the last one of five frames


@pytest.fixture
def segmented():
    with short_segments(EACH * 96 * 64 / 1e6, EACH, 100):
        yield


def _enhanced(stage, manifests):
    """Kind of derivative to its bytes' digest, and the manifest's digest."""
    done = enhance(stage, *manifests)
    assert [e.failure for e in done.manifest.entries] == [None]
    return {**{d.kind: d.sha256 for d in done.manifest.derivatives}, "manifest": done.sha256}


def _begun(laboratory, case_id="CLIP-1"):
    """Segments whose first step began, in the order of the log."""
    return [e["params"]["segment"]["number"] for e in laboratory.log(case_id)
            if e["event"] == "processing.step" and e["status"] == "started" and e["step"].startswith("1 ")]  # fmt: skip


@pytest.fixture
def whole(laboratory, tmp_path, segmented):
    """An undisturbed run: stage, manifests, what it made, and a copy of its finished segments."""
    write_clip(tmp_path / "CLIP-1" / "clip.mp4", FRAMES)
    stage = laboratory.stage("CLIP-1", threads=1)
    manifests = taken_in(stage, tmp_path / "CLIP-1")
    made = _enhanced(stage, manifests)
    shutil.copytree(parts_in(stage.folder.root).root, tmp_path / "finished")
    return stage, manifests, made


def test_any_finished_segments_are_used_and_give_the_same_bytes(laboratory, tmp_path, whole):
    stage, manifests, made = whole
    assert set(made) == {"master", "proxy", "contributors", "ledger", "manifest"}
    stated = {p.parent.name: json.loads(p.read_bytes()) for p in (tmp_path / "finished").glob("*/part.json")}
    order = sorted(stated, key=lambda name: stated[name]["part"]["segment"])
    assert len(order) == 3
    for count in range(4):
        for kept in itertools.combinations(range(3), count):
            parts = parts_in(stage.folder.root)
            parts.discard()
            for n in kept:
                shutil.copytree(tmp_path / "finished" / order[n], parts.folder(order[n]))
            before = len(_begun(laboratory))
            assert _enhanced(stage, manifests) == made, f"segments {kept} were there"
            assert _begun(laboratory)[before:] == [n + 1 for n in range(3) if n not in kept]


def _change(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [
    lambda folder: _change(folder / "part.mkv"),
    lambda folder: _change(folder / "contributors.mkv"),
    lambda folder: _change(folder / "part.json"),
    lambda folder: (folder / "part.mkv").unlink(),
    lambda folder: (folder / "part.json").unlink(),
    lambda folder: (folder / "part.json").write_bytes(b""),
    lambda folder: (folder / "another.mkv").write_bytes(b"x"),
    lambda folder: folder.rename(folder.with_name(folder.name + ".partial")),
])  # fmt: skip
def test_a_spoilt_part_is_found_out_and_made_anew(laboratory, whole, spoil):
    stage, manifests, made = whole
    parts = parts_in(stage.folder.root)
    folder = next(p for p in sorted(parts.root.iterdir()) if (p / "contributors.mkv").is_file())
    spoil(folder)
    before = len(_begun(laboratory))
    assert _enhanced(stage, manifests) == made
    assert len(_begun(laboratory)) == before + 1
    assert parts.find(folder.name) is not None


def test_the_log_says_what_was_made_and_what_was_there(laboratory, whole):
    stage, manifests, _ = whole
    assert _begun(laboratory) == [1, 2, 3]
    steps = [e for e in laboratory.log("CLIP-1") if e["event"] == "processing.step"]
    assert {e["params"]["segment"]["of"] for e in steps} == {3}
    ended = [e for e in steps if e["status"] == "ok"]
    assert len(ended) == len({e["step"] for e in ended}) * 3 >= 15
    assert sum(e["metrics"]["segment_frames"] for e in ended if e["step"].startswith("1 ")) == FRAMES
    chains = {}
    for entry in ended:
        chains.setdefault(entry["params"]["segment"]["number"], []).append(entry)
    for chain in chains.values():
        chain.sort(key=lambda e: e["step"])
        for one, other in itertools.pairwise(chain):
            assert other["input_sha256"] == one["output_sha256"]
    enhance(stage, *manifests)
    (_, line) = [e for e in laboratory.log("CLIP-1") if e["event"] == "processing.segments_reused"]
    assert line["params"] == {"segments": ["1-3"], "of": 3}
    assert line["metrics"] == {"segments_reused": 3, "frames_reused": FRAMES}


def test_what_other_runs_left_is_swept(whole):
    stage, manifests, made = whole
    parts = parts_in(stage.folder.root)
    (parts.root / "0" / "x").mkdir(parents=True)
    parts.begin("half")
    kept = {p.name for p in parts.root.iterdir() if (p / "part.json").is_file()}
    assert _enhanced(stage, manifests) == made
    assert {p.name for p in parts.root.iterdir() if (p / "part.json").is_file()} == kept
    assert not (parts.root / "0").exists()
    assert not (parts.root / "half.partial").exists()


def test_fewer_parts_than_segments_are_refused(whole, monkeypatch):
    stage, manifests, _ = whole
    find = Parts.find
    asked = []

    def forgetful(self, key):
        asked.append(key)
        return None if len(asked) == 5 else find(self, key)  # after the work, while they are collected

    monkeypatch.setattr(Parts, "find", forgetful)
    done = enhance(stage, *manifests)
    (entry,) = done.manifest.entries
    assert entry.failure.code == "clips.parts_absent"
    assert entry.failure.facts["found"] == "2"


def test_the_manifest_states_what_the_numbers_of_all_frames_give(whole):
    stage, manifests, _ = whole
    manifest = enhance(stage, *manifests).manifest
    (entry,) = manifest.entries
    assert entry.segments == 3
    assert (entry.frames_decoded, entry.frames_out) == (FRAMES, FRAMES)
    fusion = next(s for s in entry.steps if s.use == "fusion")
    assert fusion.measured["contributors_mean"] > 1
