"""The one catalogue of sentences that people read, in English and Russian (`playe_assets/texts/*.yaml`).

An entry is `key: {en: ..., ru: ...}`; facts are filled in by `str.format`. The files are read when the
first sentence is needed, never at import.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "ru")
_FOLDER = Path(__file__).resolve().parent.parent / "texts"


@functools.cache
def catalogue() -> dict[str, dict[str, str]]:
    """All entries, dotted key to language to sentence; a key in two files is an error."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    merged: dict[str, dict[str, str]] = {}
    for path in sorted(_FOLDER.glob("*.yaml")):
        entries = yaml.load(path.read_text(encoding="utf-8"), Loader=loader) or {}
        doubled = merged.keys() & entries.keys()
        if doubled:
            raise ValueError(f"{path.name} repeats the keys {sorted(doubled)}")
        merged.update(entries)
    return merged


def text(key: str, language: str = "en", /, **facts: Any) -> str:
    """The sentence `key` in `language` with `facts` filled in.

    An unknown key gives the key and the facts rather than an exception: an error message must never
    hide the error that it reports. `playe_assets_tests/core/test_texts.py` holds that no key is missing.
    """
    entry = catalogue().get(key)
    if entry is None:
        return f"{key} {facts}" if facts else key
    sentence = entry.get(language) or entry["en"]
    try:
        return sentence.format(**facts)
    except (KeyError, IndexError, ValueError):
        return f"{sentence} {facts}"


def reason_text(code: str, language: str = "en", /, **facts: Any) -> str:
    """The sentence of a reason that a manifest carries: its own, or that of the error of the same code."""
    key = f"reason.{code}"
    return text(key if key in catalogue() else f"error.{code}", language, **facts)
