"""Model cards for tests, as plain values and as files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from playe_assets.inference.cards import SCHEMA, ModelCard, read_cards

DATA = b"weights of a model that was made up for this test"


def plain_card(data: bytes = DATA, **changed: Any) -> dict[str, Any]:
    """A card of `data`, as JSON types."""
    return {
        "name": "made_up", "title": "Made up", "task": "denoising", "architecture": "DnCNN", "version": "1",
        "file": "made_up.onnx", "format": "onnx", "url": "https://example.org/made_up.onnx",
        "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "sha256_status": "computed",
        "licence": "MIT", "commercial_use": "yes", "ai_class": "fidelity", "scale": 1, "reference": "nobody, 2026",
        "input": {"range": "0..1", "order": "rgb", "multiple_of": 1},
        "tiling": {"mode": "none", "tile": 0, "border": 0, "local_statistics": False}, **changed,
    }  # fmt: skip


def registry_text(*cards: dict[str, Any], schema: str = SCHEMA) -> str:
    """A registry file of `cards`."""
    return yaml.safe_dump({"schema": schema, "models": list(cards)}, sort_keys=False)


def write_registry(path: Path, *cards: dict[str, Any]) -> Path:
    """The same, written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(registry_text(*cards), encoding="utf-8")
    return path


def made_card(data: bytes = DATA, **changed: Any) -> ModelCard:
    """A card of `data`."""
    [card] = read_cards(registry_text(plain_card(data, **changed)), "test.yaml")
    return card
