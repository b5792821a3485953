"""Weights come through one door: a card names them, and the bytes that are hashed are the bytes that are used."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from playe_assets.core.errors import CommandError, IntegrityError, MissingResourceError
from playe_assets.examination.settings import PROJECT_ROOT
from playe_assets.inference.weights import import_weights, installed, load_weights, model_cards

DATA = b"weights of a model that was made up for this test"
CARD = {
    "name": "made_up", "task": "t", "architecture": "a", "version": "1", "file": "made_up.onnx",
    "url": "https://example.org/made_up.onnx", "bytes": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest(),
    "licence": "MIT", "commercial_use": "yes", "ai_class": "none",
}  # fmt: skip


@pytest.fixture
def registry(tmp_path):
    path = tmp_path / "registry.yaml"
    path.write_text(yaml.safe_dump({"schema": "playe-models/1", "models": [CARD]}), encoding="utf-8")
    return path


@pytest.fixture
def delivered(tmp_path):
    path = tmp_path / "download"
    path.write_bytes(DATA)
    return path


def test_a_file_is_known_by_its_digest_whatever_its_name_and_appears_under_the_card_s(
    registry, delivered, tmp_path
):
    folder = tmp_path / "weights"
    assert installed("made_up", registry, folder) is None
    assert import_weights(delivered, registry, folder).name == "made_up"
    assert [p.name for p in folder.iterdir()] == ["made_up.onnx"]
    assert installed("made_up", registry, folder) == CARD["sha256"]
    assert load_weights("made_up", registry, folder) == DATA


def test_weights_that_are_not_there_name_where_they_come_from_and_the_command(registry, tmp_path):
    with pytest.raises(MissingResourceError) as caught:
        load_weights("made_up", registry, tmp_path / "weights")
    assert "https://example.org/made_up.onnx" in str(caught.value)
    assert "playe models import made_up.onnx" in str(caught.value)


def test_one_changed_byte_is_refused_when_the_file_is_loaded(registry, delivered, tmp_path):
    folder = tmp_path / "weights"
    import_weights(delivered, registry, folder)
    (folder / "made_up.onnx").write_bytes(DATA.replace(b"made", b"mode"))
    with pytest.raises(IntegrityError) as caught:
        load_weights("made_up", registry, folder)
    assert caught.value.facts["expected"] == CARD["sha256"]
    assert installed("made_up", registry, folder) == CARD["sha256"], "only looks at the size; loading hashes"


def test_a_file_that_no_card_knows_is_not_installed(registry, tmp_path):
    stranger = tmp_path / "stranger.onnx"
    stranger.write_bytes(b"stranger")
    with pytest.raises(CommandError) as caught:
        import_weights(stranger, registry, tmp_path / "weights")
    assert hashlib.sha256(b"stranger").hexdigest() in str(caught.value)
    assert not (tmp_path / "weights").exists()


def test_an_absent_file_and_an_unknown_card_are_refused(registry, tmp_path):
    with pytest.raises(CommandError) as caught:
        import_weights(tmp_path / "nothing", registry, tmp_path / "weights")
    assert caught.value.code == "weights.no_file"
    with pytest.raises(CommandError) as caught:
        load_weights("no_such", registry, tmp_path / "weights")
    assert "Known: made_up" in str(caught.value)


def test_the_shipped_cards_state_licence_size_and_digest_and_every_detector_s_card_exists():
    from playe_assets.detectors import DETECTORS

    cards = model_cards(PROJECT_ROOT / "models-data" / "registry.yaml")
    for card in cards.values():
        assert len(bytes.fromhex(card.sha256)) == 32
        assert card.bytes > 0
        assert card.url.startswith("https://")
        assert card.licence
    needed = {w for name in DETECTORS for w in DETECTORS.get(name).weights}
    assert needed <= set(cards)
