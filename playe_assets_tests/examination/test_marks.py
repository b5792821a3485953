"""Marks in `case.yaml`: what is wrong is refused by line; what a clip cannot hold is a note of the exhibit."""

from __future__ import annotations

import dataclasses

import pytest

from playe_assets.core.canonical import from_plain, to_plain
from playe_assets.core.errors import CaseFileError
from playe_assets.core.texts import reason_text
from playe_assets.core.tracks import Mark
from playe_assets.core.values import Exhibit, ExhibitStatus, MediaKind, Role, StreamFacts
from playe_assets.examination.case_file import parse_case_file
from playe_assets.examination.cases import DeliveryRecord
from playe_assets.examination.intake import take_delivery
from playe_assets.examination.marks_on import checked_marks, with_marks
from playe_assets.media.limits import Limits
from playe_assets.stores.case_store import CaseStore

GOOD = "{file: sub/a.mp4, frame: 12, box: [10, 20.5, 30, 16], label: plate}"


def _case(*marks):
    return "case: A\nmarks:\n" + "".join(f"  - {m}\n" for m in marks)


def test_marks_are_read_with_their_lines_and_exact_times():
    found = parse_case_file(_case(GOOD, "{file: a.mp4, time_s: 4.8, box: [0, 0, 9, 9], label: face-1}")).marks
    assert [m.line for m in found] == [3, 4]
    assert found[0].file == "sub/a.mp4" and found[0].mark == Mark("plate", 10.0, 20.5, 30.0, 16.0, frame=12)
    assert found[1].mark == Mark("face-1", 0.0, 0.0, 9.0, 9.0, time="24/5")


@pytest.mark.parametrize(
    ("mark", "key", "words"),
    [
        ("{file: ../a.mp4, frame: 1, box: [0, 0, 9, 9], label: a}", "marks file", "below the folder"),
        ("{file: a.mp4, frame: 1, box: [0, 0, 9], label: a}", "marks box", "upright"),
        ("{file: a.mp4, frame: 1, box: [0, 0, 9, 2], label: a}", "marks box", "at least 4"),
        ("{file: a.mp4, frame: 1, box: [0, 0, .nan, 9], label: a}", "marks box", "upright"),
        ("{file: a.mp4, frame: 1, box: [-1, 0, 9, 9], label: a}", "marks box", "upright"),
        ("{file: a.mp4, frame: -1, box: [0, 0, 9, 9], label: a}", "marks frame", "upward"),
        ("{file: a.mp4, time_s: x, box: [0, 0, 9, 9], label: a}", "marks time_s", "seconds"),
        ("{file: a.mp4, frame: 1, box: [0, 0, 9, 9], label: a b}", "marks label", "letters"),
    ],
)
def test_a_wrong_mark_is_refused_with_its_line_and_what_is_allowed(mark, key, words):
    with pytest.raises(CaseFileError) as caught:
        parse_case_file(_case(GOOD, mark))
    assert (caught.value.facts["line"], caught.value.facts["key"]) == (4, key)
    assert words in caught.value.message("en") and "case.yaml" in caught.value.message("ru")


@pytest.mark.parametrize(
    ("mark", "words", "in_russian"),
    [
        ("{frame: 1, box: [0, 0, 9, 9], label: a}", "names no clip. Add file:", "не указан клип"),
        ("{file: a.mp4, frame: 1, label: a}", "has no box. Add box:", "нет рамки"),
        ("{file: a.mp4, frame: 1, box: [0, 0, 9, 9]}", "has no label. Say what it shows", "нет метки"),
        ("{file: a.mp4, frame: 1, box: [0, 0, 9, 9], label: }", "has no label", "нет метки"),
        ("{file: a.mp4, box: [0, 0, 9, 9], label: a}", "names no moment. Add frame:", "не указан момент"),
        ("{file: a.mp4, frame: 2, time_s: 1.5, box: [0, 0, 9, 9], label: a}",
         "names two moments, frame 2 and time_s 1.5. Keep one", "два момента: frame 2 и time_s 1.5"),
    ],
)  # fmt: skip
def test_what_a_mark_lacks_or_says_twice_is_told_in_a_sentence_of_its_own(mark, words, in_russian):
    with pytest.raises(CaseFileError) as caught:
        parse_case_file(_case(GOOD, mark))
    assert f"case.yaml, line 4: the mark {words}" in caught.value.message("en")
    assert "case.yaml, строка 4" in caught.value.message("ru") and in_russian in caught.value.message("ru")
    assert "None" not in caught.value.message("en")


def test_an_unknown_key_and_a_mark_that_is_no_mapping_are_refused():
    with pytest.raises(CaseFileError) as caught:
        parse_case_file(_case("{fil: a.mp4}"))
    assert caught.value.code == "case.unknown_key"
    with pytest.raises(CaseFileError) as caught:
        parse_case_file("case: A\nmarks: a.mp4\n")
    assert caught.value.facts["key"] == "marks"


def _clip(number="E001", name="a.mp4", **facts):
    stated = StreamFacts("mov", "h264", "yuv420p", 8, 640, 480, frame_count=100, time_base="1/25",
                         duration_ticks=100, **facts)  # fmt: skip
    return Exhibit(number, name.encode().hex(), name, "0" * 64, 1, 1, Role.EXHIBIT, ExhibitStatus.ACCEPTED,
                   MediaKind.CLIP, stated)  # fmt: skip


def _marks(*marks):
    return parse_case_file(_case(*marks)).marks


def test_marks_go_to_the_exhibit_that_they_name_and_survive_canonical_json():
    given = _marks("{file: a.mp4, frame: 99, box: [600, 400, 40, 80], label: plate}")
    (item,) = checked_marks(given, [_clip(), _clip("E002", "b.mp4")])
    assert (item.exhibit, item.marks, item.unusable) == ("E001", (given[0].mark,), ())
    record = DeliveryRecord(1, (), (), (item,))
    assert from_plain(DeliveryRecord, to_plain(record)) == record
    first, second = with_marks([_clip(), _clip("E002", "b.mp4")], [record])
    assert first.marks == item.marks and second.marks == ()


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        ("{file: a.mp4, frame: 100, box: [0, 0, 9, 9], label: p}", "mark_after_end"),
        ("{file: a.mp4, time_s: 4.1, box: [0, 0, 9, 9], label: p}", "mark_after_end"),
        ("{file: a.mp4, frame: 0, box: [600, 400, 41, 80], label: p}", "mark_outside"),
    ],
)
def test_what_the_clip_cannot_hold_is_a_note_that_names_line_and_remedy(mark, code):
    (item,) = checked_marks(_marks(mark), [_clip()])
    assert item.marks == () and [r.code for r in item.unusable] == [code]
    (exhibit,) = with_marks([_clip()], [DeliveryRecord(1, (), (), (item,))])
    assert exhibit.notes == item.unusable
    for language in ("en", "ru"):
        assert "case.yaml" in reason_text(item.unusable[0].code, language, **item.unusable[0].facts)


def test_a_frame_that_stands_upright_after_turning_is_the_one_that_counts():
    given = _marks("{file: a.mp4, frame: 0, box: [400, 600, 80, 40], label: p}")
    assert checked_marks(given, [_clip(orientation=6)])[0].marks
    assert checked_marks(given, [_clip()])[0].unusable[0].code == "mark_outside"


def test_a_picture_cannot_be_followed():
    photo = dataclasses.replace(_clip(), media=MediaKind.PHOTO)
    given = _marks("{file: a.mp4, frame: 0, box: [0, 0, 9, 9], label: p}")
    assert checked_marks(given, [photo])[0].unusable[0].code == "mark_not_a_clip"


def test_a_later_delivery_replaces_the_marks_of_what_it_names():
    old = checked_marks(_marks("{file: a.mp4, frame: 1, box: [0, 0, 9, 9], label: old}"), [_clip()])
    new = checked_marks(_marks("{file: a.mp4, frame: 2, box: [0, 0, 9, 9], label: new}"), [_clip()])
    records = [DeliveryRecord(1, (), (), old), DeliveryRecord(2, (), (), new)]
    assert [m.label for m in with_marks([_clip()], records)[0].marks] == ["new"]


def test_a_mark_on_a_file_that_is_not_there_is_refused_before_anything_is_taken(tmp_path):
    folder, store = tmp_path / "in", CaseStore(tmp_path / "case")
    folder.mkdir()
    (folder / "note.txt").write_text("x")
    given = _marks("{file: gone.mp4, frame: 0, box: [0, 0, 9, 9], label: p}")
    with pytest.raises(CaseFileError) as caught:
        take_delivery(store, folder, delivery=1, known=[], references={}, limits=Limits(), marked=given)
    assert caught.value.code == "intake.mark_absent"
    assert caught.value.message("en").startswith("case.yaml, line 3: the mark is on gone.mp4")
    assert "gone.mp4" in caught.value.message("ru")
