"""Marks and tracks from `case.yaml` to derivatives: what was followed, fused, recorded, and what was not and why."""

from __future__ import annotations

import json

import pytest

from playe_assets.core.tracks import mark_of
from playe_assets.core.values import EnhancedManifest
from playe_assets.examination.detect import detect
from playe_assets.examination.enhance import enhance
from playe_assets.examination.ingest import ingest
from playe_assets_tests.laboratory import opened
from playe_assets_tests.rendered_clips import Scene, render, write_clip


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    root = tmp_path_factory.mktemp("marks")
    made = render(Scene("plate", frames=12, seed=7))
    folder = root / "MARK-1"
    folder.mkdir()
    write_clip(folder / "a.mp4", made.pixels, 600)
    x, y, w, h = (round(v, 2) for v in made.boxes[5])
    (folder / "case.yaml").write_text(
        "case: MARK-1\nmarks:\n"
        f"  - {{file: a.mp4, frame: 5, box: [{x}, {y}, {w}, {h}], label: plate}}\n"
        "  - {file: a.mp4, time_s: 0.16, box: [2, 2, 10, 10], label: corner}\n"
        "  - {file: a.mp4, frame: 99, box: [2, 2, 10, 10], label: late}\n"
    )
    with opened(root) as laboratory:
        stage = laboratory.stage("MARK-1")
        taken = ingest(stage, folder, "forensic_safe", in_place=True)
        found = detect(stage, taken.sha256)
        done = enhance(stage, taken.sha256, found.sha256)
        yield laboratory, stage, taken.manifest, done.manifest, made


def test_a_marked_region_is_followed_to_both_sides_and_fused(fused):
    _, _, _, manifest, _ = fused
    (entry,) = manifest.entries
    assert entry.failure is None
    (one,) = entry.fused
    assert (one.track, one.label, one.best_frame) == (0, "plate", 5)
    assert set(one.frames) == set(range(12)) and one.measured["frames_used"] == 12
    assert one.measured["registration_residual_px"] < 0.3
    kinds = {d.number: d.kind for d in manifest.derivatives}
    assert kinds[one.derivative] == "track_fusion" and kinds[one.uncertainty] == "track_uncertainty"
    assert {one.derivative, one.uncertainty} <= set(entry.derivatives)


def test_what_could_not_be_fused_is_said_with_its_reason(fused):
    _, _, ingested, manifest, _ = fused
    (exhibit,) = ingested.exhibits
    assert [n.code for n in exhibit.notes] == ["mark_after_end"]
    assert [m.label for m in exhibit.marks] == ["plate", "corner"]
    said = [r for r in manifest.entries[0].deviations if r.code.startswith("fusion_")]
    assert [(r.code, r.facts["label"]) for r in said] == [("fusion_mark_too_few", "corner")]
    assert "size" in said[0].facts["refused"]


def test_marks_are_part_of_the_examination(fused):
    _, _, ingested, _, _ = fused
    assert ingested.inputs["exhibits"][0][4][0]["label"] == "plate"


def test_the_pair_of_log_lines_holds_parameters_inputs_outputs_and_measures(fused):
    laboratory, _, ingested, manifest, _ = fused
    lines = [e for e in laboratory.log("MARK-1") if e["event"].startswith("processing.track_fusion")]
    ends = [e for e in lines if e.get("output_sha256")]
    (end,) = ends
    one = manifest.entries[0].fused[0]
    made = {d.number: d.sha256 for d in manifest.derivatives}
    assert set(end["output_sha256"]) == {made[one.derivative], made[one.uncertainty]}
    assert end["input_sha256"] == [ingested.exhibits[0].sha256]
    assert end["params"]["psf_sigma_px"] == 0.58 and end["metrics"]["frames_used"] == 12


def test_pictures_of_fused_and_single_are_for_the_report(fused):
    _, _, _, manifest, _ = fused
    shown = {p.role: p for p in manifest.pictures if p.track == 0}
    assert {"fused", "single", "uncertainty"} <= set(shown)
    assert all(shown[r].frame == 5 for r in ("fused", "single", "uncertainty"))


def test_the_png_states_how_it_was_made(fused):
    _, stage, _, manifest, _ = fused
    one = manifest.entries[0].fused[0]
    (derivative,) = [d for d in manifest.derivatives if d.number == one.derivative]
    data = stage.store.get_bytes(derivative.sha256)
    start = data.index(b"PLAYE\0") + len(b"PLAYE\0\0\0\0\0")
    method = json.JSONDecoder().raw_decode(data[start:].decode("utf-8", "replace"))[0]
    assert method["best_frame"] == 5 and method["frames"] == list(range(12)) and method["ai_class"] == "none"


def test_done_again_it_gives_the_same_manifest(fused):
    _, stage, _, manifest, _ = fused
    again = enhance(stage, manifest.ingest, manifest.detections)
    assert isinstance(again.manifest, EnhancedManifest)
    assert again.manifest == manifest


def test_two_marks_of_one_clip_with_one_label_are_told_apart(laboratory, tmp_path):
    made = render(Scene("plate", frames=12, seed=7))
    folder = tmp_path / "MARK-2"
    folder.mkdir()
    write_clip(folder / "a.mp4", made.pixels, 600)
    boxes = {frame: ", ".join(f"{v:.2f}" for v in made.boxes[frame]) for frame in (5, 8)}
    (folder / "case.yaml").write_text(
        "case: MARK-2\nmarks:\n"
        f"  - {{file: a.mp4, frame: 5, box: [{boxes[5]}], label: plate}}\n"
        "  - {file: a.mp4, frame: 5, box: [2, 2, 10, 10], label: plate}\n"
        f"  - {{file: a.mp4, frame: 8, box: [{boxes[8]}], label: plate}}\n"
    )
    stage = laboratory.stage("MARK-2")
    taken = ingest(stage, folder, "forensic_safe", in_place=True)
    manifest = enhance(stage, taken.sha256, detect(stage, taken.sha256).sha256).manifest
    (entry,) = manifest.entries
    assert [(f.track, f.label, f.best_frame) for f in entry.fused] == [(0, "plate", 5), (-2, "plate", 8)]
    assert [mark_of(f.track) for f in entry.fused] == [1, 3]
    shown = {(p.track, p.role): p for p in manifest.pictures if p.track is not None}
    for role in ("fused", "single", "uncertainty"):
        assert (shown[0, role].frame, shown[-2, role].frame) == (5, 8)
        assert shown[0, role].sha256 != shown[-2, role].sha256
    assert [(r.code, r.facts["mark"]) for r in entry.deviations if r.code.startswith("fusion_mark")] == [
        ("fusion_mark_too_few", 2)
    ]
    ended = [
        e for e in laboratory.log("MARK-2") if e["event"] == "processing.track_fusion" and e["status"] == "ok"
    ]
    assert [e["step"] for e in ended] == ["mark 1 plate", "mark 2 plate", "mark 3 plate"]
