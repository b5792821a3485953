"""Detection that an earlier run finished is used again, whole and unchanged, or made anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playe_assets.core.tracks import Mark
from playe_assets.core.values import ExhibitDetections, IngestManifest, MediaKind
from playe_assets.examination import detect as stage_of_detection
from playe_assets.examination.detect import detect
from playe_assets.examination.found import found_in
from playe_assets.examination.ingest import ingest
from playe_assets_tests.laboratory import write_clip, write_photo

CASE = "FOUND-1"


def looked(laboratory, event="processing.detect"):
    """Exhibits with a finished operation or line `event`, in the order of the log."""
    return [e["exhibit"] for e in laboratory.log(CASE) if e["event"] == event and e["status"] == "ok"]


@pytest.fixture
def case(laboratory, tmp_path):
    """A clip and a photograph, looked at once."""
    folder = tmp_path / CASE
    write_clip(folder / "clip.mp4")
    write_photo(folder / "photo.jpg")
    (folder / "case.yaml").write_text(f"case: {CASE}\ntitle: t\noperator: o\n", encoding="utf-8")
    stage = laboratory.stage(CASE)
    taken = ingest(stage, folder, "forensic_safe").sha256
    made = detect(stage, taken)
    assert [e.failure for e in made.manifest.entries] == [None, None]
    assert looked(laboratory) == ["E001", "E002"]
    return stage, taken, made


def test_a_second_run_decodes_nothing_and_gives_the_same_bytes(laboratory, case):
    _, taken, made = case
    again = detect(laboratory.stage(CASE), taken)
    assert again == made
    assert looked(laboratory) == ["E001", "E002"]
    lines = {e["exhibit"]: e for e in laboratory.log(CASE) if e["event"] == "processing.detection_reused"
             and e["status"] == "ok"}  # fmt: skip
    ended = {e["exhibit"]: e for e in laboratory.log(CASE)
             if e["event"] == "processing.detect" and e["status"] == "ok"}  # fmt: skip
    for number, line in lines.items():
        assert line["output_sha256"] == ended[number]["output_sha256"]
        assert line["metrics"] == ended[number]["metrics"]
        assert line["params"] == {"found_by": ended[number]["op_id"]}
    assert set(lines) == {"E001", "E002"}


def test_what_a_killed_run_had_not_finished_is_looked_for(laboratory, case):
    stage, taken, made = case
    notes = found_in(stage.folder.root, stage.store)
    last = max(notes.root.iterdir(), key=lambda p: p.stat().st_mtime_ns)
    last.unlink()
    assert detect(stage, taken) == made
    assert looked(laboratory) == ["E001", "E002", "E002"]


@pytest.mark.parametrize(("label", "again"), [("region", ["E001"]), ("plate", [])])
def test_a_region_makes_anew_and_a_mark_to_be_followed_does_not(laboratory, case, label, again):
    stage, taken, _ = case
    manifest = stage.manifest(IngestManifest, taken)
    clip, photo = manifest.exhibits
    clip = replace(clip, marks=(Mark(label, 0, 0, 40, 40, 0),))
    detect(stage, stage.store.put_json(replace(manifest, exhibits=(clip, photo))))
    assert looked(laboratory) == ["E001", "E002", *again]


@pytest.mark.parametrize(
    "what", ["detector", "sampling", "shots", "tracker", "best_frames", "code", "threads"]
)
def test_whatever_decides_the_findings_makes_anew(laboratory, case, monkeypatch, what):
    stage, taken, _ = case
    planned = stage_of_detection.Stage.planned

    def changed(self, given):
        made = planned(self, given)
        first, *others = made.detectors[MediaKind.CLIP]
        video = made.preset.video
        if what == "detector":
            name, value = next((k, v) for k, v in first.plain.items() if isinstance(v, float))
            first = replace(first, params=replace(first.params, **{name: value + 0.1}))
        if what == "sampling":
            first = replace(first, use=replace(first.use, every_s=first.use.every_s / 2))
        if what == "shots":
            video = replace(video, shots=replace(video.shots, threshold=video.shots.threshold + 1))
        if what == "best_frames":
            video = replace(video, best_frames=video.best_frames + 1)
        if what == "tracker":
            params = made.tracker.params
            made = replace(
                made, tracker=replace(made.tracker, params=replace(params, smooth_s=params.smooth_s + 1))
            )
        detectors = {**made.detectors, MediaKind.CLIP: (first, *others)}
        return replace(made, detectors=detectors, preset=replace(made.preset, video=video))

    monkeypatch.setattr(stage_of_detection.Stage, "planned", changed)
    if what == "code":
        monkeypatch.setattr(stage_of_detection, "code_version", lambda: "another")
    detect(stage, taken)
    again = {"code": ["E001", "E002"], "threads": []}.get(what, ["E001"])
    assert looked(laboratory) == ["E001", "E002", *again]


def _change(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["findings", "survey"])
@pytest.mark.parametrize("spoil", [_change, lambda path: path.unlink()])
def test_a_spoilt_object_is_made_anew_and_the_log_says_so(laboratory, case, what, spoil):
    stage, taken, made = case
    sha256 = str(made.manifest.entries[0].sha256)
    if what == "survey":
        sha256 = str(stage.manifest(ExhibitDetections, sha256).survey)
    spoil(stage.store.path(sha256))
    assert detect(stage, taken) == made
    assert looked(laboratory) == ["E001", "E002", "E001"]
    assert stage.store.verify(sha256)
    (_, line) = [e for e in laboratory.log(CASE) if e["event"] == "processing.detection_spoilt"]
    assert (line["exhibit"], line["params"]["spoilt"]) == ("E001", [sha256])
    assert detect(stage, taken) == made
    assert looked(laboratory) == ["E001", "E002", "E001"]


@pytest.mark.parametrize("spoil", [
    _change,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"[]"),
    lambda path: path.write_bytes(path.read_bytes()[:-9]),
])  # fmt: skip
def test_a_spoilt_note_is_made_anew(laboratory, case, spoil):
    stage, taken, made = case
    notes = found_in(stage.folder.root, stage.store)
    before = {p.name: p.read_bytes() for p in notes.root.iterdir()}
    for path in notes.root.iterdir():
        spoil(path)
    assert detect(stage, taken) == made
    assert looked(laboratory) == ["E001", "E002"] * 2
    assert {p.name for p in notes.root.iterdir()} == set(before)
    assert len(looked(laboratory, "processing.detection_spoilt")) == 2


def test_a_failure_is_not_kept(laboratory, case, monkeypatch):
    from playe_assets.detectors.hog_people import HogPeople

    stage, taken, made = case
    found_in(stage.folder.root, stage.store).discard()
    with monkeypatch.context() as patch:
        patch.setattr(HogPeople, "detect", lambda *_: 1 / 0)
        assert any(e.failure for e in detect(stage, taken).manifest.entries)
    assert detect(stage, taken) == made
