"""A report run again from its originals alone: what comes out equal, and how each difference is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from playe_assets.core.errors import CommandError
from playe_assets.custody.environment import blas_kernel
from playe_assets.custody.log import CustodyLog
from playe_assets.examination.demo_evidence import write_demo
from playe_assets.examination.rerun_level import Level
from playe_assets_tests.laboratory import examine, failures, opened, write_clip, write_photo
from playe_assets_tests.reports import again, altered, levels, report_path, scrambled, stranger

MIXED = {"E001 photo 0", "E002 master 0", "E002 proxy 0", "E002 contributors 0", "E002 ledger 0"}


@pytest.fixture(scope="module")
def report(examined):
    """The mixed case's report."""
    return json.loads(report_path(examined.laboratory, examined.case_id).read_bytes())


@pytest.fixture(scope="module")
def evidence(examined, tmp_path_factory):
    """Its originals, under names of somebody else's."""
    return scrambled(examined.laboratory.root / "evidence", tmp_path_factory.mktemp("originals"))


def test_every_derivative_comes_out_equal_in_two_folders_with_different_thread_counts(
    report, evidence, tmp_path
):
    for threads, place in ((1, tmp_path / "one"), (3, tmp_path / "deep" / "er" / "two")):
        found = again(report, stranger(tmp_path), evidence, place, threads=threads)
        assert found.stopped is None and found.claims == [] and found.taken.absent == []
        assert levels(found) == dict.fromkeys(MIXED, "L0")
        assert all(v.file_equal for v in found.verdicts)
        assert found.examination_now == found.examination_then
        assert found.holds and found.asked is Level.L0 and found.environments.same_class


def test_a_rerun_reads_the_originals_and_writes_only_its_own_folder(report, evidence, tmp_path):
    before = {p: p.lstat() for p in evidence.rglob("*")}
    assert again(report, stranger(tmp_path), evidence, tmp_path / "work").holds
    after = {p: p.lstat() for p in evidence.rglob("*")}
    for path, facts in before.items():
        now = after.pop(path)
        assert (now.st_mtime_ns, now.st_ctime_ns, now.st_nlink) == (
            facts.st_mtime_ns, facts.st_ctime_ns, facts.st_nlink)  # fmt: skip
    assert after == {}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["work"]


def test_the_scratch_log_names_the_report_and_that_nobody_was_asked_for_approvals(report, evidence, tmp_path):
    found = again(report, stranger(tmp_path), evidence, tmp_path / "work")
    log = CustodyLog(tmp_path / "work" / "audit" / "events.jsonl")
    first = next(e for _, e, _ in log.read() if e)
    assert first["event"] == "custody.rerun_opened" and first["step"] == found.report_id
    assert first["input_sha256"] == [found.report_sha256]
    assert first["params"]["models_without_approval_for_the_rerun_of"] == found.report_id
    assert not list((tmp_path / "work" / "cases").glob("*/reports/*"))


def test_a_folder_that_holds_something_is_not_worked_in(report, evidence, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(CommandError, match="empty"):
        again(report, stranger(tmp_path), evidence, tmp_path / "work")


def test_a_missing_exhibit_is_named_and_the_others_keep_their_numbers(report, evidence, tmp_path):
    (photo,) = [e for e in report["findings"]["exhibits"] if e["number"] == "E001"]
    some = tmp_path / "some"
    shutil.copytree(evidence, some, symlinks=True)
    for path in [p for p in some.rglob("*.bin") if p.stat().st_size == photo["size"]]:
        path.unlink()
    found = again(report, stranger(tmp_path), some, tmp_path / "work")
    # E003 is the same photograph, delivered twice.
    assert [(a.exhibit, a.name, a.sha256) for a in found.taken.absent] == [
        ("E001", "a_secret_turned.jpg", photo["sha256"]), ("E003", "c_secret_again.jpg", photo["sha256"])
    ]  # fmt: skip
    assert levels(found) == {**dict.fromkeys(MIXED, "L0"), "E001 photo 0": "not_made"}
    assert photo["sha256"] in next(v for v in found.verdicts if v.exhibit == "E001").why.said("en")
    assert not found.holds and not any(c.about.startswith("E001") for c in found.claims)


def test_an_exhibit_with_one_changed_byte_counts_as_missing(report, evidence, tmp_path):
    (clip,) = [e for e in report["findings"]["exhibits"] if e["number"] == "E002"]
    some = tmp_path / "some"
    shutil.copytree(evidence, some, symlinks=True)
    (path,) = [p for p in some.rglob("*.bin") if p.stat().st_size == clip["size"]]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = again(report, stranger(tmp_path), some, tmp_path / "work")
    assert [(a.exhibit, a.sha256) for a in found.taken.absent] == [("E002", clip["sha256"])]
    assert levels(found)["E001 photo 0"] == "L0" and levels(found)["E002 master 0"] == "not_made"
    assert not found.holds


def test_a_recipe_altered_after_the_fact_gives_other_pictures(report, evidence, tmp_path):
    def change(made):
        preset = made["sections"]["administration"]["preset"]
        assert "h_luma: 4.0" in preset["text"]
        preset["text"] = preset["text"].replace("h_luma: 4.0", "h_luma: 9.0")

    found = again(altered(report, change), stranger(tmp_path), evidence, tmp_path / "work")
    (photo,) = [v for v in found.verdicts if v.kind == "photo"]
    assert photo.reached is not Level.L0 and not photo.holds and not found.holds
    named = {(c.about, c.name): (c.then, c.now) for c in found.claims}
    assert named["E001 2 nlm", "params h_luma"] == (4.0, 9.0)


def test_a_parameter_altered_in_the_findings_alone_is_named(report, evidence, tmp_path):
    def change(made):
        entry = next(e for e in made["findings"]["steps"] if e["exhibit"] == "E001")
        next(s for s in entry["steps"] if s["use"] == "nlm")["params"]["h_luma"] = 2.5

    found = again(altered(report, change), stranger(tmp_path), evidence, tmp_path / "work")
    (claim,) = found.claims
    assert (claim.what, claim.about, claim.name) == ("step", "E001 2 nlm", "params h_luma")
    assert (claim.then, claim.now, claim.breaks) == (2.5, 4.0, True)
    assert levels(found) == dict.fromkeys(MIXED, "L0") and not found.holds


def test_a_measured_value_and_a_fact_of_an_exhibit_that_were_altered_are_named(report, evidence, tmp_path):
    def change(made):
        column = made["findings"]["metrics"]["columns"][0]["name"]
        row = made["findings"]["metrics"]["rows"][0]
        row[column] = (row[column] or 0.0) + 5.0
        made["findings"]["exhibits"][1]["facts"]["frame_count"] += 1

    found = again(altered(report, change), stranger(tmp_path), evidence, tmp_path / "work")
    assert {(c.what, c.about) for c in found.claims} == {("metrics", "D001"), ("exhibit", "E002")}
    assert not found.holds


def test_a_derivative_that_nobody_made_and_one_that_was_kept_back_are_named(report, evidence, tmp_path):
    def change(made):
        made["findings"]["derivatives"] = [
            d for d in made["findings"]["derivatives"] if d["kind"] != "contributors"
        ]
        extra = dict(made["findings"]["derivatives"][0], number="D099", kind="coverage")
        made["findings"]["derivatives"].append(extra)

    found = again(altered(report, change), stranger(tmp_path), evidence, tmp_path / "work")
    told = levels(found)
    assert told["E002 contributors 0"] == "differs" and told["E001 coverage 0"] == "not_made"
    assert not found.holds


def _as_elsewhere(made):
    """The report as if another version of PLAYE had made it, so that L0 is not asked for."""
    made["findings"]["inputs"]["code_version"] = "0.0.9+000000000000"


@pytest.fixture(scope="module")
def nearly(examined, report, tmp_path_factory):
    """How a report is made whose photograph differs from ours by so many units, and the folder that holds it."""
    import numpy as np

    from playe_assets.media.photo import read_photo
    from playe_assets.media.pixel_digest import pixel_sha256
    from playe_assets.media.png import write_png
    from playe_assets.stores.case_store import hash_file

    store = examined.laboratory.case(examined.case_id).store

    def make(by, elsewhere):
        folder = tmp_path_factory.mktemp(f"by{by}")
        (photo,) = [d for d in report["findings"]["derivatives"] if d["kind"] == "photo"]
        pixels = read_photo(store.path(photo["sha256"])).pixels
        moved = pixels.astype(int)
        moved[3:9, 5:11] += np.where(moved[3:9, 5:11] > 100, -by, by)
        moved = moved.astype(np.uint8)
        write_png(folder / "picture.png", moved, None, None, {}, 3)

        def change(made):
            held = next(d for d in made["findings"]["derivatives"] if d["kind"] == "photo")
            held["sha256"], held["size"] = hash_file(folder / "picture.png")
            held["pixel_sha256"] = pixel_sha256(moved)
            if elsewhere:
                _as_elsewhere(made)

        return altered(report, change), folder

    return make


@pytest.mark.parametrize(
    ("by", "elsewhere", "at_hand", "asked", "reached", "holds"),
    [
        (1, True, True, "L1", "L1", True),
        (1, False, True, "L0", "L1", False),
        (1, True, False, "L2", "L2", True),
        (7, True, True, "L1", "L2", False),
    ],
)
def test_pictures_that_are_nearly_the_same_reach_the_level_that_can_be_shown(
    nearly, evidence, tmp_path, by, elsewhere, at_hand, asked, reached, holds
):  # fmt: skip
    content, folder = nearly(by, elsewhere)
    found = again(content, stranger(tmp_path), evidence, tmp_path / "work",
                  derivatives=folder if at_hand else None)  # fmt: skip
    photo, *others = found.verdicts
    assert (photo.asked, photo.reached, photo.holds) == (asked, reached, holds)
    assert (photo.max_difference == by) if at_hand else (photo.max_difference is None)
    assert all(v.reached is Level.L0 and v.holds for v in others)
    assert found.holds is holds and found.environments.same_class is not elsewhere
    if reached == "L2":
        assert photo.measured
    assert str(by) in photo.why.said("ru") if at_hand else "--derivatives" in photo.why.said("ru")


def test_what_may_differ_elsewhere_is_listed_and_does_not_break_an_equal_result(report, evidence, tmp_path):
    found = again(altered(report, _as_elsewhere), stranger(tmp_path), evidence, tmp_path / "work")
    assert found.holds and found.reached is Level.L0 and found.asked is Level.L1
    (other,) = [o for o in found.environments.others if o.decides]
    assert (other.what, other.then) == ("code_version", "0.0.9+000000000000")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda made: made["findings"]["exhibits"][0].update(name_hex=b"../up".hex()), "leads out"),
        (lambda made: made["findings"]["exhibits"][0].update(name_hex=b"/etc/x".hex()), "leads out"),
        (lambda made: made["findings"]["exhibits"][1].update(number="E009"), "E009"),
        (lambda made: made["findings"]["preset"].update(name="../../x"), "no name of a recipe"),
        (
            lambda made: made["sections"]["administration"]["preset"].update(text="schema: playe-preset/9\n"),
            "preset",
        ),
    ],
)
def test_a_hostile_report_is_stopped_in_a_sentence_and_writes_nothing_outside(
    report, evidence, tmp_path, change, code
):
    found = again(altered(report, change), stranger(tmp_path), evidence, tmp_path / "work")
    assert found.stopped is not None and code in found.stopped.said("en") and not found.holds
    assert {p.name for p in tmp_path.iterdir()} <= {"work"}


def _delivered(root, case_id):
    """Two deliveries: a clip with a marked region, its reference, a file quarantined for its name; then more."""
    first, second = root / "first", root / "second"
    write_clip(first / "clip.mp4", frames=16)
    write_clip(first / "truth.mp4", frames=16)
    write_photo(first / "bytes.jpg", seed=4)
    (first / "bytes.jpg").rename(first / os.fsdecode(b"\xff\xfe.jpg"))
    (first / "case.yaml").write_text(
        f"case: {case_id}\nreferences: {{clip.mp4: truth.mp4}}\nmarks:\n"
        "  - {file: clip.mp4, frame: 4, box: [20, 16, 40, 30], label: plate}\n"
        "  - {file: clip.mp4, frame: 900, box: [20, 16, 40, 30], label: late}\n", encoding="utf-8",
    )  # fmt: skip
    write_photo(second / "more" / "new.jpg", seed=9)
    write_photo(second / "clip.mp4", seed=10)
    (second / "case.yaml").write_text(f"case: {case_id}\n", encoding="utf-8")
    return first, second


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """(report, originals, laboratory's data) of a case that came in two deliveries."""
    root = tmp_path_factory.mktemp("twice")
    with opened(root / "lab") as laboratory, dg.DagsterInstance.ephemeral() as instance:
        for number, folder in enumerate(_delivered(root, "TWICE-1")):
            result = examine(instance, "TWICE-1", folder, tags={"playe/request_id": f"r{number}"})
            assert result.success, failures(result)
            scrambled(folder, root / "originals" / folder.name)
        path = report_path(laboratory, "TWICE-1")
        return path, root / "originals", laboratory.settings.data_root


def test_deliveries_references_marks_and_names_come_again_as_they_were(twice, tmp_path):
    path, originals, _ = twice
    report = json.loads(path.read_bytes())
    exhibits = {e["number"]: e for e in report["findings"]["exhibits"]}
    assert [e["delivery"] for e in exhibits.values()] == [1, 1, 1, 2, 2]
    assert [e["role"] for e in exhibits.values()].count("reference") == 1
    conflict = next(e for e in exhibits.values() if e["reason"] and e["reason"]["code"] == "conflict")
    assert conflict["status"] == "quarantined"
    assert "mark_after_end" in [n["code"] for n in exhibits["E001"]["notes"]]
    found = again(report, stranger(tmp_path), originals, tmp_path / "work")
    assert found.stopped is None, found.stopped.said("en")
    assert found.claims == [] and found.holds
    assert set(levels(found).values()) == {"L0"} and levels(found)["E001 track_fusion 0"] == "L0"
    assert found.examination_now == found.examination_then


@pytest.mark.skipif(blas_kernel() is None, reason="NumPy computes with another library than OpenBLAS here")
@pytest.mark.parametrize("kernel", ["Haswell", "Sandybridge"])
def test_under_another_blas_kernel_the_result_says_which_and_what_level_is_reached(twice, tmp_path, kernel):
    path, originals, data = twice
    tool = Path(sys.executable).with_name("playe")
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PLAYE_")}
    done = subprocess.run(
        [str(tool), "report", "verify", str(path), "--rerun", "--exhibits", str(originals), "--json",
         "--derivatives", str(data), "--work", str(tmp_path / "work"), "--threads", "1"],
        capture_output=True, text=True, timeout=300, check=False,
        env={**plain, "PLAYE_DATA_ROOT": str(tmp_path / "stranger"), "OPENBLAS_CORETYPE": kernel},
    )  # fmt: skip
    result = json.loads(done.stdout)["rerun"]
    others = [d for d in result["environment"]["differences"] if d["what"] == "blas_kernel"]
    if kernel == blas_kernel():  # this processor's own, which the report states: nothing is other
        assert others == [] and result["environment"]["same_class"] and result["reached"] == "L0"
        return
    (other,) = others
    assert other["decides"] and other["now"] == kernel
    assert result["environment"]["same_class"] is False
    # Registration sums in another order there: what is asked for is L1, what is reached is said, whichever it is.
    assert done.returncode == (0 if result["holds"] else 1), done.stderr
    told = {(d["exhibit"], d["kind"]): d for d in result["derivatives"]}
    for name, found in told.items():
        assert found["asked"] == "L1" and found["reached"] in ("L0", "L1", "L2"), (name, found)
        assert found["reached"] == "L0" or found["why"]
    assert told["E003", "photo"]["reached"] == "L0" or told["E003", "photo"]["max_difference"] > 0


@pytest.mark.slow
def test_the_demo_case_comes_out_equal_in_two_folders_with_different_thread_counts(tmp_path):
    folder = tmp_path / "DEMO-0001"
    write_demo(folder)
    with opened(tmp_path / "lab") as laboratory, dg.DagsterInstance.ephemeral() as instance:
        result = examine(instance, "DEMO-0001", folder)
        assert result.success, failures(result)
        report = json.loads(report_path(laboratory, "DEMO-0001").read_bytes())
    originals = scrambled(folder, tmp_path / "originals")
    for threads, place in ((1, tmp_path / "one"), (4, tmp_path / "elsewhere" / "two")):
        found = again(report, stranger(tmp_path), originals, place, threads=threads)
        assert found.stopped is None, found.stopped.said("en")
        assert set(levels(found).values()) == {"L0"} and found.holds, found.claims
        assert found.examination_now == found.examination_then
