"""The timing gate finds each fault that was planted in one of the accounts of a clip, and names the frame."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from playe_assets.examination.judge import passed
from playe_assets.gates import GATES
from playe_assets.media.ledger import LedgerRow, write_ledger
from playe_assets.media.pixel_digest import frames_sha256
from playe_assets.media.survey import write_survey
from playe_assets.media.time_ledger import write_time_ledger
from playe_assets_tests.gates.test_gates import (
    BASE,
    FRAMES,
    good,  # noqa: F401  (the fixture)
    ledger_rows,
    sha,
    survey_rows,
)


def _judged(evidence):
    (verdict,) = GATES.get("timing")().judge(evidence)
    assert (verdict.exhibit, verdict.derivative) == ("E002", "D002")
    return verdict


def _observed(evidence):
    verdict = _judged(evidence)
    assert not verdict.passed
    return verdict.observed


def _changed(evidence, number, **changes):
    derivatives = tuple(
        replace(d, **changes) if d.number == number else d for d in evidence.enhanced.derivatives
    )
    return replace(evidence, enhanced=replace(evidence.enhanced, derivatives=derivatives))


def _entry(evidence, **changes):
    entries = (evidence.enhanced.entries[0], replace(evidence.enhanced.entries[1], **changes))
    return replace(evidence, enhanced=replace(evidence.enhanced, entries=entries))


def _ledger(evidence, rows, base=BASE, consistent=True, **clock):
    """The ledger replaced; `consistent`: by a pipeline that made the master the same way, so only others can tell."""
    evidence = _changed(
        evidence, "D003", sha256=evidence.objects.put_bytes(write_time_ledger(rows, base, **clock))
    )
    if consistent:
        digest = frames_sha256(r.output_sha256 for r in rows)
        evidence = _changed(evidence, "D002", pixel_sha256=digest, frame_count=len(rows))
        evidence = _entry(evidence, frames_decoded=len(rows), frames_out=len(rows))
    return evidence


def _surveyed(evidence, rows, base=BASE):
    found = evidence.detections["E002"]
    digest = None if rows is None else evidence.objects.put_bytes(write_survey(rows, base))
    return replace(evidence, detections={**evidence.detections, "E002": replace(found, survey=digest)})


def _numbered(rows):
    return [replace(r, output_frame=i) for i, r in enumerate(rows)]


def test_a_clip_whose_accounts_agree_passes(good):  # noqa: F811
    assert _judged(good).passed
    assert _judged(good).observed == f"{FRAMES} frames"


def test_a_clip_that_the_manifest_does_not_speak_of_is_refused(good):  # noqa: F811
    silent = replace(good, enhanced=replace(good.enhanced, entries=good.enhanced.entries[:1]))
    (verdict,) = GATES.get("timing")().judge(silent)
    assert (verdict.exhibit, verdict.passed) == ("E002", False)


def test_a_dropped_frame_is_missed_by_the_survey(good):  # noqa: F811
    rows = _numbered(r for r in ledger_rows() if r.output_frame != 2)
    assert _observed(_ledger(good, rows)) == f"the survey saw {FRAMES} frames, the ledger has {FRAMES - 1}"


def test_a_dropped_frame_that_is_still_counted_is_missed_in_the_ledger(good):  # noqa: F811
    rows = ledger_rows(FRAMES - 1)
    assert _observed(_ledger(good, rows, consistent=False)) == f"the ledger has {FRAMES - 1} lines"


def test_a_doubled_frame_is_refused(good):  # noqa: F811
    rows = ledger_rows()
    rows = _numbered([*rows[:3], rows[2], *rows[3:]])
    assert "frame 3 carries time stamp 4" in _observed(_ledger(good, rows))


def test_a_doubled_frame_in_place_of_its_neighbour_is_refused(good):  # noqa: F811
    rows = ledger_rows()
    rows[3] = replace(rows[3], source_sha256=rows[2].source_sha256)
    assert _observed(_ledger(good, rows)) == "frame 3 was made of other samples than the survey saw"


def test_two_frames_that_changed_places_are_refused(good):  # noqa: F811
    rows = ledger_rows()
    rows[1], rows[2] = rows[2], rows[1]
    assert "frame 2 carries time stamp 2" in _observed(_ledger(good, _numbered(rows)))


def test_two_frames_whose_samples_changed_places_are_refused(good):  # noqa: F811
    rows = ledger_rows()
    rows[1], rows[2] = (
        replace(rows[1], source_sha256=rows[2].source_sha256),
        replace(rows[2], source_sha256=rows[1].source_sha256),
    )
    assert "frame 1 was made of other samples" in _observed(_ledger(good, rows))


@pytest.mark.parametrize("kind", ["kept", "fused"])
def test_a_frame_that_stands_at_another_time_than_its_source_is_refused(good, kind):  # noqa: F811
    rows = ledger_rows()
    rows[2] = replace(rows[2], output_pts=5, written_pts=200_000, kind=kind, fused_from=1)
    assert _observed(_ledger(good, rows)) == "frame 2 stands at 5 instead of 4"


def test_a_source_time_that_the_source_does_not_have_is_refused(good):  # noqa: F811
    rows = ledger_rows()
    rows[2] = replace(rows[2], output_pts=5, source_pts=5, written_pts=200_000)
    assert "frame 2 carries time stamp 5" in _observed(_ledger(good, rows))


def test_a_stamp_in_the_container_that_is_not_the_ledgers_is_refused(good):  # noqa: F811
    rows = ledger_rows()
    rows[2] = replace(rows[2], written_pts=rows[2].written_pts + 30_000)
    assert "frame 2 was written at 190000" in _observed(_ledger(good, rows))


def test_a_shift_that_the_ledger_states_is_taken_off_again(good):  # noqa: F811
    shift = Fraction(1, 10)
    rows = [replace(r, written_pts=r.written_pts + 100_000) for r in ledger_rows()]
    assert _judged(_ledger(good, rows, shift=shift)).passed
    assert not _judged(_ledger(good, rows)).passed


def test_a_clock_finer_than_the_containers_may_be_half_a_tick_off_and_no_more(good):  # noqa: F811
    base = Fraction(1, 10**9)
    source = [LedgerRow(i, i * 33_333_333) for i in range(FRAMES)]
    exhibits = (
        good.ingest.exhibits[0],
        replace(good.ingest.exhibits[1], ledger_sha256=good.objects.put_bytes(write_ledger(source, base))),
    )
    fine = replace(good, ingest=replace(good.ingest, exhibits=exhibits))
    fine = _surveyed(fine, [replace(r, pts=s.pts) for r, s in zip(survey_rows(), source, strict=True)], base)
    rows = []
    for row, s in zip(ledger_rows(), source, strict=True):
        written = round(s.pts / 1000)
        rows.append(replace(row, source_pts=s.pts, written_pts=written, output_pts=written * 1000))
    assert _judged(_ledger(fine, rows, base)).passed
    rows[1] = replace(rows[1], written_pts=rows[1].written_pts + 1, output_pts=rows[1].output_pts + 1000)
    assert "frame 1 stands at 33334000 instead of 33333333" in _observed(_ledger(fine, rows, base))


def test_a_source_digest_that_was_altered_is_refused(good):  # noqa: F811
    rows = ledger_rows()
    rows[4] = replace(rows[4], source_sha256=sha("another"))
    assert _observed(_ledger(good, rows)) == "frame 4 was made of other samples than the survey saw"


def test_an_output_digest_that_was_altered_is_refused(good):  # noqa: F811
    rows = ledger_rows()
    rows[4] = replace(rows[4], output_sha256=sha("another"))
    observed = _observed(_ledger(good, rows, consistent=False))
    assert observed == "the frames' digests are not those of the master"


def test_a_clip_that_was_not_surveyed_is_refused(good):  # noqa: F811
    assert "was not surveyed" in _observed(_surveyed(good, None))
    assert "was not surveyed" in _observed(replace(good, detections={}))


def test_a_survey_of_other_times_or_of_another_clock_is_refused(good):  # noqa: F811
    rows = survey_rows()
    rows[1] = replace(rows[1], pts=3)
    assert _observed(_surveyed(good, rows)) == "frame 1 carries time stamp 2, the survey saw 3"
    assert "the survey's time base is 1/30" in _observed(_surveyed(good, survey_rows(), Fraction(1, 30)))


def test_another_time_base_is_refused(good):  # noqa: F811
    assert "time base 1/30 instead of 1/25" in _observed(_ledger(good, ledger_rows(), Fraction(1, 30)))


def test_a_frame_dropped_or_added_by_a_step_is_refused(good):  # noqa: F811
    for out in (FRAMES - 1, FRAMES + 1):
        assert f"{FRAMES} decoded, {out} out" in _observed(_entry(good, frames_out=out))
    assert f"{FRAMES - 1} in the master" in _observed(_changed(good, "D002", frame_count=FRAMES - 1))


def test_a_clip_that_lost_frames_in_decoding_passes_where_the_rest_keeps_its_times(good):  # noqa: F811
    rows = _numbered(r for r in ledger_rows() if r.output_frame != 1)
    seen = [replace(r, frame=i) for i, r in enumerate(r for r in survey_rows() if r.frame != 1)]
    fewer = _surveyed(_ledger(good, rows), seen)
    assert passed([_judged(fewer)])


def test_a_ledger_of_another_form_is_refused_and_the_gate_answers(good):  # noqa: F811
    old = good.objects.put_bytes(write_ledger([LedgerRow(0, 0)], BASE))
    assert "no time ledger" in _observed(_changed(good, "D003", sha256=old))


def test_a_clip_without_ledger_is_refused(good):  # noqa: F811
    kept = tuple(d for d in good.enhanced.derivatives if d.kind != "ledger")
    evidence = replace(good, enhanced=replace(good.enhanced, derivatives=kept))
    assert _observed(evidence) == "no ledger or no master"


def _viewed(evidence, times=range(0, FRAMES * 512, 512), frames=FRAMES, stated=True):
    """The good case with a viewing copy whose packets stand at `times`."""
    rows = ledger_rows()
    clock = {"proxy_time_base": Fraction(1, 12800)} if stated else {}
    if stated:
        rows = [replace(r, proxy_written_pts=t) for r, t in zip(rows, times, strict=True)]
    evidence = _ledger(evidence, rows, **clock)
    derivatives = evidence.enhanced.derivatives
    proxy = replace(derivatives[1], number="D004", kind="proxy", frame_count=frames)
    return replace(evidence, enhanced=replace(evidence.enhanced, derivatives=(*derivatives, proxy)))


def test_a_viewing_copy_of_as_many_frames_in_order_passes(good):  # noqa: F811
    assert _judged(_viewed(good)).passed


@pytest.mark.parametrize("frames", [None, FRAMES - 1, FRAMES + 1])
def test_a_viewing_copy_of_another_number_of_frames_is_refused(good, frames):  # noqa: F811
    assert _observed(_viewed(good, frames=frames)) == (
        f"the viewing copy holds {frames} frames, the ledger has {FRAMES}"
    )


def test_a_viewing_copy_whose_frames_share_a_time_or_whose_times_are_not_stated_is_refused(good):  # noqa: F811
    observed = _observed(_viewed(good, (0, 512, 512, 1024, 1536)))
    assert observed == "frame 2 of the viewing copy does not stand after the one before"
    assert "does not state the times" in _observed(_viewed(good, stated=False))
