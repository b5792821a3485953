"""Reports that the other side has altered with care, so that a rerun might call them good: each is found."""

from __future__ import annotations

import json
import os

import pytest

from playe_assets.examination.rerun_level import Level
from playe_assets_tests.reports import again, altered, levels, report_path, scrambled, stranger


@pytest.fixture(scope="module")
def report(examined):
    """The mixed case's report."""
    return json.loads(report_path(examined.laboratory, examined.case_id).read_bytes())


@pytest.fixture(scope="module")
def evidence(examined, tmp_path_factory):
    """Its originals, under names of somebody else's."""
    return scrambled(examined.laboratory.root / "evidence", tmp_path_factory.mktemp("originals"))


@pytest.fixture
def run(report, evidence, tmp_path):
    """Run the report again after a change, with every digest made good."""

    def run(change, **beside):
        return again(altered(report, change), stranger(tmp_path), evidence, tmp_path / "work", **beside)

    return run


def _photo(made):
    return next(d for d in made["findings"]["derivatives"] if d["kind"] == "photo")


def _entry(made, exhibit):
    return next(e for e in made["findings"]["steps"] if e["exhibit"] == exhibit)


def _seen(made, exhibit):
    return next(d for d in made["findings"]["detections"] if d["exhibit"] == exhibit)


def _hidden_behind_another(made):
    """A forged photograph before the true one, which a fused picture claims to be, so that both have one place."""
    true = _photo(made)
    place = made["findings"]["derivatives"].index(true)
    forged = dict(true, number="D901", sha256="f" * 64, pixel_sha256="e" * 64)
    made["findings"]["derivatives"].insert(place, forged)
    fused = {"track": 0, "label": "x", "derivative": true["number"], "uncertainty": true["number"], "use": "x",
             "version": "1", "params": {}, "best_frame": 0, "frames": [], "refused": {}, "measured": {}}  # fmt: skip
    _entry(made, "E001")["fused"] = [fused]


def test_a_forged_derivative_that_shares_its_place_with_a_true_one_is_compared_too(run):
    found = run(_hidden_behind_another)
    assert "D901" in [v.number_then for v in found.verdicts]
    assert not next(v for v in found.verdicts if v.number_then == "D901").holds and not found.holds


def test_two_derivatives_of_one_number_are_both_compared(run):
    def change(made):
        made["findings"]["derivatives"].insert(0, dict(_photo(made), sha256="f" * 64, pixel_sha256="e" * 64))

    assert not run(change).holds


def _other_picture(folder, suffix=".png"):
    import numpy as np

    from playe_assets.media.png import write_png
    from playe_assets.stores.case_store import hash_file

    folder.mkdir(parents=True, exist_ok=True)
    write_png(folder / f"forged{suffix}", np.full((48, 64, 3), 200, np.uint8), None, None, {}, 3)
    return hash_file(folder / f"forged{suffix}")


def test_another_picture_under_the_true_samples_digest_is_found_where_the_file_is_at_hand(run, tmp_path):
    sha256, size = _other_picture(tmp_path / "handed over")

    def change(made):
        _photo(made).update(sha256=sha256, size=size)

    found = run(change, derivatives=tmp_path / "handed over")
    photo = next(v for v in found.verdicts if v.kind == "photo")
    assert photo.reached is Level.DIFFERS and not found.holds


def test_a_file_that_is_not_the_one_made_here_and_that_nobody_saw_is_not_called_equal(run):
    def change(made):
        _photo(made).update(sha256="f" * 64)

    found = run(change)
    photo = next(v for v in found.verdicts if v.kind == "photo")
    assert not photo.holds and "--derivatives" in photo.why.said("en") and not found.holds


@pytest.mark.parametrize(
    "change",
    [
        lambda made: _seen(made, "E002").update(frames_seen=3),
        lambda made: _seen(made, "E002").update(counts={"person": 7}),
        lambda made: _seen(made, "E001").update(failure={"code": "x", "facts": {}}),
        lambda made: _seen(made, "E002")["shots"].append(dict(_seen(made, "E002")["shots"][0], last_frame=3)),
        lambda made: made["findings"]["detections"].pop(),
        lambda made: made["findings"]["detections"].append(dict(_seen(made, "E001"))),
        lambda made: _photo(made).update(width=9999),
        lambda made: _photo(made).update(was_derived_from=["f" * 64]),
        lambda made: _photo(made).update(ai_class="generative"),
        lambda made: made["findings"]["video"][0].update(audio={"in": 9, "out": 9}),
        lambda made: made["findings"]["video"][0]["ledger"].update(corrupt=4),
        lambda made: made["findings"]["video"].clear(),
        lambda made: made["findings"]["metrics"]["rows"].pop(),
        lambda made: made["findings"]["metrics"]["columns"].pop(0),
        lambda made: made["findings"]["metrics"]["rows"][0].update(sharpness_gain=9.0),
        lambda made: _entry(made, "E001").update(failure={"code": "x", "facts": {}}),
        lambda made: made["findings"]["steps"].pop(0),
        lambda made: _entry(made, "E001")["steps"][0].update(reference="my own paper"),
        lambda made: _entry(made, "E002").update(deviations=[{"code": "x", "facts": {}}]),
    ],
    ids=lambda change: change.__code__.co_firstlineno,
)  # fmt: skip
def test_whatever_of_the_findings_was_altered_is_named(run, change):
    found = run(change)
    assert not found.holds
    assert any(c.breaks for c in found.claims)


def test_the_report_does_not_say_how_much_memory_its_exhibits_may_take(report):
    from playe_assets.examination.rerun_evidence import limits_of
    from playe_assets.media.limits import Limits

    def line(**limits):
        return [{"event": "processing.identified", "params": {"limits": limits}}]

    own = Limits()
    greedy = limits_of(line(max_pixels=10**15, max_memory_bytes=1 << 60, max_cpu_s=10**9, max_wall_s=1e300))
    assert greedy == own
    assert limits_of(line(max_pixels=5000)).max_pixels == 5000
    for broken in (-1, 0, "x", float("nan"), True, None, [3]):
        assert limits_of(line(max_pixels=broken)) == own
    assert limits_of(line(nonsense=1)) == own


@pytest.mark.parametrize(
    "name", [b"x" * 300, b"/".join([b"d" * 200] * 40), b"a_secret_turned.jpg/inside", b"\n\x1b[31m.jpg"],
    ids=["long", "deep", "below a file", "control"],
)  # fmt: skip
def test_names_that_no_disk_takes_stop_the_rerun_in_a_sentence(run, tmp_path, name):
    found = run(lambda made: made["findings"]["exhibits"][1].update(name_hex=name.hex()))
    assert found.stopped is not None and not found.holds
    assert {p.name for p in tmp_path.iterdir()} <= {"work"}


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made["findings"]["exhibits"][0].update(delivery=10**400),
        lambda made: made["findings"]["exhibits"][0].update(number="E" + "9" * 5000),
        lambda made: made["findings"]["exhibits"][0].update(facts={"kind": "photo"}),
        lambda made: made["findings"]["exhibits"][0].update(marks=[{"frame": 10**30}]),
        lambda made: made["findings"]["inputs"]["runtime"].update(engine={"device": "cuda:99999"}),
        lambda made: made["findings"]["inputs"]["runtime"].update(
            engine={"device": "../x", "runtime": "os.system", "provider": "x", "precision": "y"}
        ),
        lambda made: made["findings"]["inputs"].update(weights={"../../etc/passwd": "0" * 64}),
        lambda made: made["findings"]["inputs"].update(runtime=None),
        lambda made: made["findings"]["inputs"].update(weights=[1]),
        lambda made: made["findings"]["metrics"].update(columns=[{}]),
    ],
    ids=lambda change: change.__code__.co_firstlineno,
)
def test_what_the_schema_lets_through_and_nobody_writes_stops_the_rerun_in_a_sentence(run, tmp_path, change):
    found = run(change)
    # Where no model runs, an engine that does not exist changes nothing, and is told with the environment.
    assert not found.holds or not found.environments.same_class
    assert {p.name for p in tmp_path.iterdir()} <= {"work"}


def test_a_link_among_the_exhibits_leads_to_no_bytes_but_those_that_were_asked_for(
    report, evidence, tmp_path
):
    from playe_assets.examination.rerun_evidence import find_by_digest

    folder = tmp_path / "hostile"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "loop").symlink_to(folder)
    (folder / "passwords").symlink_to("/etc/passwd")
    assert find_by_digest(folder, [("0" * 64, None), ("1" * 64, 0)]) == {}


def test_nothing_but_the_names_of_levels_decides_a_verdict(run):
    found = run(lambda made: None)
    assert found.holds and set(levels(found).values()) == {"L0"} and found.claims == []
