"""Weight files: a card names them, and the bytes that are hashed are the bytes that are used."""

from __future__ import annotations

import hashlib

import pytest

from playe_assets.core.errors import CommandError, GovernanceError, IntegrityError, MissingResourceError
from playe_assets.inference.weights import import_weights, installed, load_weights, place, read_weights
from playe_assets_tests.inference.sample_cards import DATA, made_card

CARDS = {"made_up": made_card()}


@pytest.fixture
def delivered(tmp_path):
    path = tmp_path / "download"
    path.write_bytes(DATA)
    return path


def test_a_file_is_known_by_its_digest_whatever_its_name_and_appears_under_the_card_s(delivered, tmp_path):
    folder = tmp_path / "weights"
    assert installed(CARDS["made_up"], folder) is None
    assert import_weights(delivered, CARDS, folder, "registry.yaml").name == "made_up"
    assert [p.name for p in folder.iterdir()] == ["made_up.onnx"]
    assert installed(CARDS["made_up"], folder) == CARDS["made_up"].sha256
    assert load_weights("made_up", CARDS, folder) == DATA


def test_weights_that_are_not_there_name_where_they_come_from_and_the_commands(tmp_path):
    with pytest.raises(MissingResourceError) as caught:
        load_weights("made_up", CARDS, tmp_path / "weights")
    assert "https://example.org/made_up.onnx" in str(caught.value)
    assert "playe models pull made_up" in str(caught.value)
    assert "playe models import made_up.onnx" in str(caught.value)


def test_one_changed_byte_is_refused_when_the_file_is_loaded(delivered, tmp_path):
    folder = tmp_path / "weights"
    import_weights(delivered, CARDS, folder, "registry.yaml")
    (folder / "made_up.onnx").write_bytes(DATA.replace(b"made", b"mode"))
    with pytest.raises(IntegrityError) as caught:
        load_weights("made_up", CARDS, folder)
    assert caught.value.facts["expected"] == CARDS["made_up"].sha256
    assert installed(CARDS["made_up"], folder), "only looks at the size; loading hashes"


def test_a_file_of_another_size_is_not_installed(tmp_path):
    place(DATA + b"more", tmp_path, "made_up.onnx")
    assert installed(CARDS["made_up"], tmp_path) is None


def test_a_card_without_a_size_takes_a_file_of_any_size_and_still_hashes_it(tmp_path):
    card = made_card(bytes=None)
    place(DATA + b"more", tmp_path, card.file)
    assert installed(card, tmp_path) == card.sha256
    with pytest.raises(IntegrityError):
        read_weights(card, tmp_path)


def test_a_file_that_no_card_knows_is_not_installed(tmp_path):
    stranger = tmp_path / "stranger.onnx"
    stranger.write_bytes(b"stranger")
    with pytest.raises(CommandError) as caught:
        import_weights(stranger, CARDS, tmp_path / "weights", "registry.yaml")
    assert hashlib.sha256(b"stranger").hexdigest() in str(caught.value)
    assert "registry.yaml" in str(caught.value)
    assert not (tmp_path / "weights").exists()


def test_an_absent_file_and_an_unknown_card_are_refused(tmp_path):
    with pytest.raises(CommandError) as caught:
        import_weights(tmp_path / "nothing", CARDS, tmp_path / "weights", "registry.yaml")
    assert caught.value.code == "weights.no_file"
    with pytest.raises(CommandError) as caught:
        load_weights("no_such", CARDS, tmp_path / "weights")
    assert "Known: made_up" in str(caught.value)


def test_a_card_without_a_digest_is_never_loaded(tmp_path):
    card = made_card(sha256=None, sha256_status="unknown")
    place(DATA, tmp_path, card.file)
    assert installed(card, tmp_path) is None
    with pytest.raises(GovernanceError) as caught:
        read_weights(card, tmp_path)
    assert "--card" in str(caught.value)


def test_a_write_that_fails_leaves_neither_the_file_nor_its_scratch(tmp_path, monkeypatch):
    import os

    def refuse(_fd):  # a fake: the disk refuses to promise anything
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        place(DATA, tmp_path / "weights", "made_up.onnx")
    assert list((tmp_path / "weights").iterdir()) == []
