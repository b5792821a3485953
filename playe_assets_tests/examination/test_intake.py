"""Every entry of a delivery ends as an exhibit or a refusal; none stops the others."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from PIL import Image

from playe_assets.core.canonical import canonical_json, from_plain, to_plain
from playe_assets.core.errors import CaseFileError
from playe_assets.core.texts import LANGUAGES, catalogue, text
from playe_assets.core.values import Exhibit, ExhibitStatus, MediaKind, Role
from playe_assets.examination import acquire as acquire_module
from playe_assets.examination import intake
from playe_assets.examination.intake import take_delivery
from playe_assets.media.ledger import read_ledger
from playe_assets.media.limits import Limits
from playe_assets.media.png import write_png
from playe_assets.stores.case_store import CaseStore
from playe_assets_tests.media import samples
from playe_assets_tests.media.test_probe import _bomb


@pytest.fixture
def drop(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path):
    return CaseStore(tmp_path / "case")


def _take(store, folder, known=(), delivery=1, references=None, **more):
    return take_delivery(store, folder, delivery=delivery, known=known, references=references or {},
                         limits=Limits(), **more)  # fmt: skip


def _picture(path, shift=0, **options):
    Image.fromarray(samples.ramp(shift=shift)).save(path, **options)
    return path


def _by_name(found):
    return {e.name_shown: e for e in found.exhibits}


def test_each_file_becomes_a_numbered_exhibit_in_order_of_its_raw_name(store, drop):
    (drop / "sub").mkdir()
    _picture(drop / "b.png")
    _picture(drop / "sub" / "a.jpg", 3)
    samples.write_mp4(drop / "c.mp4")
    (drop / "case.yaml").write_text("case: X\n", encoding="utf-8")
    (drop / "REASON.txt").write_text("ours\n", encoding="utf-8")
    seen = []
    found = _take(
        store, drop, on_exhibit=lambda exhibit, numbers: seen.append((exhibit.number, numbers["entries"]))
    )
    assert [(e.number, e.name_shown, e.media) for e in found.exhibits] == [
        ("E001", "b.png", MediaKind.PHOTO), ("E002", "c.mp4", MediaKind.CLIP),
        ("E003", "sub/a.jpg", MediaKind.PHOTO),
    ]  # fmt: skip
    assert all(e.status is ExhibitStatus.ACCEPTED and e.processable for e in found.exhibits)
    assert all(store.verify(e.sha256) for e in found.exhibits)
    assert seen == [("E001", 3), ("E002", 3), ("E003", 3)]
    rows, _ = read_ledger(store.get_bytes(found.exhibits[1].ledger_sha256))
    assert tuple(r.pts for r in rows) == samples.VFR


def test_the_same_folder_gives_the_same_result_and_survives_json(tmp_path, drop):
    _picture(drop / "b.png")
    samples.write_mp4(drop / "c.mp4")
    (drop / "z").symlink_to("/etc")
    one, two = (_take(CaseStore(tmp_path / name), drop) for name in ("one", "two"))
    assert canonical_json(one) == canonical_json(two)
    assert tuple(from_plain(Exhibit, to_plain(e)) for e in one.exhibits) == one.exhibits


def test_a_second_delivery_of_the_same_files_adds_nothing(store, drop):
    _picture(drop / "a.png")
    first = _take(store, drop)
    assert _take(store, drop, first.exhibits, 2).exhibits == ()


def test_a_later_delivery_adds_what_is_new_and_sets_aside_what_conflicts(store, drop):
    _picture(drop / "a.png")
    _picture(drop / "b.png", 4)
    first = _take(store, drop)
    _picture(drop / "a.png", 9)
    _picture(drop / "n.png", 7)
    second = _take(store, drop, first.exhibits, 2)
    conflict, new = second.exhibits
    assert (conflict.number, conflict.status) == ("E003", ExhibitStatus.QUARANTINED)
    assert (conflict.reason.code, conflict.reason.facts["earlier"]) == ("conflict", "E001")
    assert (new.number, new.status, new.delivery) == ("E004", ExhibitStatus.ACCEPTED, 2)
    third = _take(store, drop, (*first.exhibits, *second.exhibits), 3)
    assert third.exhibits == ()


def test_equal_files_are_one_exhibit_and_its_duplicates(store, drop):
    _picture(drop / "a.png")
    shutil.copy(drop / "a.png", drop / "b.png")
    first, second = _take(store, drop).exhibits
    assert (second.status, second.duplicate_of) == (ExhibitStatus.DUPLICATE, first.number)
    assert not second.processable
    assert (second.media, second.facts) == (first.media, first.facts)
    shutil.copy(drop / "a.png", drop / "c.png")
    (later,) = _take(store, drop, (first, second), 2).exhibits
    assert (later.number, later.duplicate_of) == ("E003", "E001")


def test_a_reference_is_listed_but_not_examined(store, drop):
    (drop / "reference").mkdir()
    _picture(drop / "a.png")
    _picture(drop / "reference" / "a.png", 5)
    exhibit, reference = _take(store, drop, references={"a.png": "reference/a.png"}).exhibits
    assert (exhibit.role, exhibit.reference) == (Role.EXHIBIT, reference.number)
    assert (reference.role, reference.processable, reference.reference) == (Role.REFERENCE, False, None)


def test_a_reference_with_the_bytes_of_an_exhibit_does_not_hide_it(store, drop):
    _picture(drop / "a.png")
    shutil.copy(drop / "a.png", drop / "z.png")
    reference, exhibit = _take(store, drop, references={"z.png": "a.png"}).exhibits
    assert (reference.role, exhibit.role) == (Role.REFERENCE, Role.EXHIBIT)
    assert exhibit.processable
    assert exhibit.reference == reference.number


def test_a_reference_that_is_not_there_is_refused_before_any_work(store, drop):
    _picture(drop / "a.png")
    with pytest.raises(CaseFileError, match=r"truth\.png"):
        _take(store, drop, references={"a.png": "truth.png"})
    assert not (store.root / "objects").exists()


def test_an_empty_folder_is_an_empty_delivery(store, drop):
    found = _take(store, drop)
    assert (found.exhibits, found.refused) == ((), ())


def test_links_pipes_and_sockets_are_refused_and_the_rest_goes_on(store, drop, tmp_path):
    (tmp_path / "secret.png").write_bytes(_picture(tmp_path / "s.png").read_bytes())
    (drop / "a link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(drop / "b pipe.mp4")
    _picture(drop / "c.png")
    found = _take(store, drop)
    assert [(r.name_shown, r.reason.code) for r in found.refused] == [
        ("a link.png", "symlink"),
        ("b pipe.mp4", "fifo"),
    ]
    assert [e.name_shown for e in found.exhibits] == ["c.png"]


def test_names_that_are_no_text_are_kept_raw_and_shown_escaped(store, drop):
    raw = b"\xff\x01\n\xd0.png"
    data = _picture(drop / "x.png").read_bytes()
    (drop / "x.png").unlink()
    with open(os.fsencode(drop) + b"/" + raw, "wb") as file:  # noqa: PTH123  (pathlib takes no bytes)
        file.write(data)
    (exhibit,) = _take(store, drop).exhibits
    assert bytes.fromhex(exhibit.name_hex) == raw
    assert exhibit.name_shown == "\\xff\\x01\\x0a\\xd0.png"
    assert exhibit.status is ExhibitStatus.ACCEPTED
    canonical_json(exhibit)


def test_each_kind_of_bad_input_ends_as_it_should(store, drop):
    """The list of the issue's section "Bad input", as far as single files go, in one folder."""
    _picture(drop / "good.png")
    (drop / "zero.jpg").write_bytes(b"")
    Image.fromarray(samples.ramp(96, 128)).save(drop / "cut.jpg", quality=95)
    whole = (drop / "cut.jpg").read_bytes()
    (drop / "cut.jpg").write_bytes(whole[: len(whole) * 6 // 10])
    _picture(drop / "wrong.jpg", 2, format="PNG")
    _bomb(drop / "bomb.png")
    frames = [Image.fromarray(samples.ramp(shift=n)) for n in range(3)]
    frames[0].save(drop / "moving.gif", save_all=True, append_images=frames[1:], duration=80)
    write_png(drop / "deep.png", samples.noise(deep=True))
    Image.fromarray(samples.ramp()).convert("CMYK").save(drop / "ink.jpg")
    samples.write_tail_index_mp4(drop / "turned.mp4", (-90, False, False))
    samples.write_mp4(drop / "vfr.mp4")
    data = samples.write_tail_index_mp4(drop / "no moov.mp4").read_bytes()
    (drop / "no moov.mp4").write_bytes(data[: len(data) // 2])
    samples.write_m4a(drop / "sound.m4a")
    (drop / "list.mp4").write_text("ffconcat version 1.0\nfile good.png\n", encoding="ascii")
    (drop / "notes.txt").write_text("hello", encoding="ascii")
    found = _by_name(_take(store, drop))
    said = {name: (e.status.value, e.reason.code if e.reason else None) for name, e in found.items()}
    assert said == {
        "good.png": ("accepted", None),
        "zero.jpg": ("quarantined", "empty"),
        "cut.jpg": ("partial", None),
        "wrong.jpg": ("accepted", None),
        "bomb.png": ("quarantined", "media.pixels"),
        "moving.gif": ("accepted", None),
        "deep.png": ("accepted", None),
        "ink.jpg": ("accepted", None),
        "turned.mp4": ("accepted", None),
        "vfr.mp4": ("accepted", None),
        "no moov.mp4": ("quarantined", "index_missing"),
        "sound.m4a": ("quarantined", "media.audio_only"),
        "list.mp4": ("quarantined", "names_other_files"),
        "notes.txt": ("quarantined", "media.unknown_format"),
    }
    assert found["cut.jpg"].missing[0].code == "rows_missing"
    assert [n.code for n in found["wrong.jpg"].notes] == ["wrong_extension"]
    assert found["moving.gif"].media is MediaKind.CLIP
    assert (found["deep.png"].facts.bit_depth, found["ink.jpg"].facts.pixel_format) == (16, "CMYK")
    assert (found["turned.mp4"].facts.orientation, found["vfr.mp4"].facts.timing) == (6, "variable")
    for exhibit in found.values():
        for reason in (exhibit.reason, *exhibit.missing, *exhibit.notes):
            for language in LANGUAGES if reason else ():
                sentence = text(f"reason.{reason.code}", language, **reason.facts)
                assert f"reason.{reason.code}" in catalogue()
                assert "{" not in sentence


def test_a_folder_of_only_unreadable_files_gives_refusals_and_no_crash(store, drop, monkeypatch):
    _picture(drop / "a.png")

    def forbidden(_root, _name):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(intake, "open_beneath", forbidden)
    found = _take(store, drop)
    assert found.exhibits == ()
    assert [r.reason.code for r in found.refused] == ["unreadable"]


def test_a_disk_that_fails_midway_costs_one_file(store, drop, monkeypatch):
    _picture(drop / "a.png")
    _picture(drop / "b.png", 3)
    real, calls = os.preadv, []

    def fail_first(descriptor, buffers, position):
        calls.append(position)
        if len(calls) == 1:
            raise OSError(5, "Input/output error")
        return real(descriptor, buffers, position)

    monkeypatch.setattr(os, "preadv", fail_first)
    found = _take(store, drop)
    assert [(r.name_shown, r.reason.code) for r in found.refused] == [("a.png", "read_error")]
    assert [(e.number, e.name_shown) for e in found.exhibits] == [("E001", "b.png")]


def test_a_file_that_changes_meanwhile_is_quarantined_with_both_digests(store, drop, monkeypatch):
    path = _picture(drop / "a.png")
    verify = acquire_module._verify

    def meddle(*args):
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        return verify(*args)

    monkeypatch.setattr(acquire_module, "_verify", meddle)
    (exhibit,) = _take(store, drop).exhibits
    assert (exhibit.status, exhibit.reason.code) == (ExhibitStatus.QUARANTINED, "changed")
    assert exhibit.reason.facts["first"] == exhibit.sha256 != exhibit.reason.facts["second"]


@dataclass
class _Log:
    """What take_delivery needs of a recorder."""

    lines: list = field(default_factory=list)

    @contextmanager
    def record(self, event, **given):
        work = _Work()
        yield work
        self.lines.append((event, work.extra.get("exhibit", given["exhibit"]), tuple(work.outputs)))

    def note(self, event, **fields):
        self.lines.append((event, None, fields["params"]["reason"]))


@dataclass
class _Work:
    outputs: list = field(default_factory=list)
    metrics: dict = field(default_factory=dict)
    checks: list = field(default_factory=list)
    extra: dict = field(default_factory=dict)


def test_custody_and_identification_are_recorded_apart(store, drop):
    samples.write_mp4(drop / "a.mp4")
    os.mkfifo(drop / "b")
    log = _Log()
    (exhibit,) = _take(store, drop, recorder=log).exhibits
    assert log.lines == [
        ("custody.acquired", "E001", (exhibit.sha256,)),
        ("processing.identified", "E001", (exhibit.ledger_sha256,)),
        ("custody.refused", None, "fifo"),
    ]
    again = _Log()
    _take(store, drop, [exhibit], 2, recorder=again)
    assert again.lines[0] == ("custody.acquired", "E001", (exhibit.sha256,))


def test_numbers_are_never_used_again(store, drop):
    _picture(drop / "a.png")
    (first,) = _take(store, drop).exhibits
    _picture(drop / "b.png", 5)
    (second,) = _take(store, drop, [replace(first, number="E041")], 2).exhibits
    assert second.number == "E042"


@pytest.mark.shared_data
def test_whole_collections_of_hostile_files_are_taken_in(store, shared_data, tmp_path):
    """hostile_pillow, hostile_exiv2, video_structure and exif_samples as one delivery."""
    drop = tmp_path / "all"
    names = ("hostile_pillow", "hostile_exiv2", "video_structure", "exif_samples")
    for name in names:
        shutil.copytree(shared_data / "media" / name, drop / name)
    shutil.copy(drop / "hostile_pillow" / "hopper.jpg", drop / "again.jpg")
    began = time.monotonic()
    found = _take(store, drop)
    assert len(found.exhibits) == sum(1 for p in drop.rglob("*") if p.is_file())
    assert found.refused == ()
    assert time.monotonic() - began < len(found.exhibits) * 1.0
    kinds = {e.status for e in found.exhibits}
    assert kinds == set(ExhibitStatus)
    for exhibit in found.exhibits:
        canonical_json(exhibit)
        assert exhibit.facts is not None or exhibit.reason is not None
        for reason in (exhibit.reason, *exhibit.missing, *exhibit.notes):
            assert reason is None or f"reason.{reason.code}" in catalogue()
