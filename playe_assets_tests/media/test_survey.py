"""The survey's file: one row a frame, the same bytes for the same rows."""

from __future__ import annotations

import hashlib
import io
from fractions import Fraction

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.media.survey import Survey, SurveyRow, read_survey, write_survey

BASE = Fraction(1, 12800)


def row(number: int, **changes) -> SurveyRow:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return SurveyRow(**{
        "frame": number, "pts": 512 * number + number % 3, "sha256": digest, "luma_mean": 100.1 + number,
        "noise_sigma": 2.2, "motion_share": 0.01 * (number % 7), "cut_score": 1.5, "corrupt": number == 3,
        **changes,
    })  # fmt: skip


def test_what_was_written_is_read_again_with_its_time_base():
    survey = Survey(row(n) for n in range(100))
    found, base = read_survey(write_survey(survey, BASE))
    assert (found, base) == (survey, BASE)
    assert found[3].corrupt
    assert not found[4].corrupt
    assert found[5].sha256 == row(5).sha256
    assert found[5].pts == row(5).pts
    assert list(found[98:]) == [found[98], found[99]]


def test_a_row_is_given_back_as_a_reader_will_see_it():
    survey = Survey()
    kept = [survey.append(row(n, luma_mean=1 / 3)) for n in range(4)]
    assert kept == list(read_survey(write_survey(survey, BASE))[0])


def test_the_same_rows_give_the_same_bytes_from_any_iterable():
    rows = [row(n) for n in range(50)]
    assert write_survey(rows, BASE) == write_survey(iter(rows), BASE) == write_survey(Survey(rows), BASE)
    assert write_survey(rows, BASE) != write_survey(rows, Fraction(1, 25))


def test_a_clip_without_a_frame_has_an_empty_survey():
    found, base = read_survey(write_survey([], BASE))
    assert (len(found), base) == (0, BASE)


def test_negative_and_far_time_stamps_are_kept():
    far = [row(0, pts=-(2**40)), row(1, pts=2**62)]
    assert list(read_survey(write_survey(far, BASE))[0].pts) == [-(2**40), 2**62]


def test_other_programs_read_it_as_a_table():
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(write_survey([row(n) for n in range(5)], BASE)))
    assert table.column_names == [
        "frame", "pts", "sha256", "luma_mean", "noise_sigma", "motion_share", "cut_score", "corrupt"
    ]  # fmt: skip
    assert table.column("sha256")[2].as_py().hex() == row(2).sha256


def test_a_survey_whose_rows_are_out_of_order_is_refused():
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(write_survey([row(n) for n in range(5)], BASE)))
    out = io.BytesIO()
    pq.write_table(table.take([0, 2, 1, 3, 4]), out)
    with pytest.raises(IntegrityError, match="Row 2"):
        read_survey(out.getvalue())


def test_what_is_no_survey_is_refused():
    with pytest.raises(IntegrityError):
        read_survey(b"no parquet at all")


def test_a_row_out_of_turn_is_a_mistake():
    with pytest.raises(ValueError, match="7"):
        Survey().append(row(7))


def test_a_day_of_frames_takes_under_a_hundred_bytes_each():
    survey = Survey()
    for number in range(1000):
        survey.append(row(number))
    held = survey.pts.itemsize + 32 + 4 * survey.numbers("luma_mean").itemsize + 1  # type: ignore[attr-defined]
    assert held == 57
