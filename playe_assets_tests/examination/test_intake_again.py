"""An item that was quarantined for a circumstance can be sent again; the remedy in its reason works."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

from playe_assets.core.values import ExhibitStatus, Reason
from playe_assets.examination import acquire as acquire_module
from playe_assets.examination.intake import take_delivery
from playe_assets.media.limits import Limits
from playe_assets.media.probe import Prober
from playe_assets.media.probe_result import Probe
from playe_assets.stores.case_store import CaseStore
from playe_assets_tests.media import samples

DECODER = ("media.time", "media.memory", "decoder_crashed")


@pytest.fixture
def drop(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path):
    return CaseStore(tmp_path / "case")


def _take(store, folder, known=(), delivery=1):
    return take_delivery(store, folder, delivery=delivery, known=known, references={}, limits=Limits())


def _said(found):
    return [(e.number, e.name_shown, e.status.value, e.reason and e.reason.code) for e in found.exhibits]


def _picture(path, shift=0):
    Image.fromarray(samples.ramp(shift=shift)).save(path)
    return path


def _changed(store, drop, monkeypatch):
    """A first delivery whose `a.png` is written to while it is read."""
    path = _picture(drop / "a.png")
    verify = acquire_module._verify

    def meddle(*args):
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        return verify(*args)

    with monkeypatch.context() as patch:
        patch.setattr(acquire_module, "_verify", meddle)
        found = _take(store, drop)
    assert _said(found) == [("E001", "a.png", "quarantined", "changed")]
    return found.exhibits


def test_a_file_that_had_changed_is_a_new_exhibit_when_it_comes_again_with_other_bytes(
    store, drop, monkeypatch
):
    first = _changed(store, drop, monkeypatch)
    _picture(drop / "a.png")
    second = _take(store, drop, first, 2)
    assert _said(second) == [("E002", "a.png", "accepted", None)]
    assert _take(store, drop, (*first, *second.exhibits), 3).exhibits == ()
    _picture(drop / "a.png", 9)
    third = _take(store, drop, (*first, *second.exhibits), 3)
    assert _said(third) == [("E003", "a.png", "quarantined", "conflict")]
    assert third.exhibits[0].reason.facts["earlier"] == "E002"


def test_a_file_that_had_changed_is_a_new_exhibit_when_it_comes_again_with_the_stored_bytes(
    store, drop, monkeypatch
):
    (first,) = _changed(store, drop, monkeypatch)
    (drop / "a.png").write_bytes(store.get_bytes(first.sha256))
    (again,) = _take(store, drop, [first], 2).exhibits
    assert (again.number, again.sha256) == ("E002", first.sha256)
    assert again.status is not ExhibitStatus.DUPLICATE
    assert again.reason is None or again.reason.code not in ("changed", "conflict")


def test_a_file_that_came_empty_is_a_new_exhibit_once_it_holds_something(store, drop):
    (drop / "a.png").touch()
    first = _take(store, drop).exhibits
    assert _take(store, drop, first, 2).exhibits == (), "zero bytes again are the same empty item"
    _picture(drop / "a.png")
    assert _said(_take(store, drop, first, 2)) == [("E002", "a.png", "accepted", None)]


@pytest.mark.parametrize("code", DECODER)
def test_what_the_decoder_did_not_finish_is_tried_again_with_the_next_delivery(
    store, drop, monkeypatch, code
):
    _picture(drop / "a.png")
    shutil.copy(drop / "a.png", drop / "b.png")
    refusal = Probe(ExhibitStatus.QUARANTINED, reason=Reason(code, {}))
    with monkeypatch.context() as patch:
        patch.setattr(Prober, "probe", lambda *_: refusal)
        first = _take(store, drop)
    assert _said(first) == [("E001", "a.png", "quarantined", code), ("E002", "b.png", "duplicate", None)]
    shutil.copy(drop / "a.png", drop / "renamed.png")
    second = _take(store, drop, first.exhibits, 2)
    assert _said(second) == [
        ("E003", "a.png", "accepted", None),
        ("E004", "b.png", "duplicate", None),
        ("E005", "renamed.png", "duplicate", None),
    ]
    assert {e.duplicate_of for e in second.exhibits[1:]} == {"E003"}
    assert _take(store, drop, (*first.exhibits, *second.exhibits), 3).exhibits == ()


def test_what_was_quarantined_for_its_content_is_not_taken_again(store, drop):
    (drop / "notes.jpg").write_text("hello", encoding="ascii")
    first = _take(store, drop).exhibits
    assert _take(store, drop, first, 2).exhibits == ()
    shutil.copy(drop / "notes.jpg", drop / "other.jpg")
    (other,) = _take(store, drop, first, 2).exhibits
    assert other.duplicate_of == "E001"
