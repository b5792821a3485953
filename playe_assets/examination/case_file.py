"""`case.yaml`: what the operator writes beside the evidence. Unknown keys and wrong values are refused by line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playe_assets.core.errors import CaseFileError
from playe_assets.core.presets import preset_names
from playe_assets.core.texts import LANGUAGES
from playe_assets.core.yamlfile import Block, read_block
from playe_assets.examination.marks import Marked, read_marks

NAME = "case.yaml"
DEFAULT_PRESET = "forensic_safe"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID_WORDS = "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit, without '..'"
_TEXTS = ("title", "operator", "customer", "request", "received_from")
_KEYS = ("case", *_TEXTS, "request_id", "preset", "language", "references", "exhibits", "marks")
_LONGEST = 2000
_LARGEST_FILE = 1 << 20


@dataclass(frozen=True)
class Listed:
    """An entry of `exhibits:`: a path below the folder and, where given, its size in bytes."""

    name: str
    size: int | None


@dataclass(frozen=True)
class CaseFile:
    """A checked `case.yaml`."""

    case_id: str
    title: str = ""
    operator: str = ""
    customer: str = ""
    request: str = ""
    received_from: str = ""
    preset: str | None = None
    language: str | None = None
    request_id: str | None = None
    """Written by `playe case submit`, so that its number goes with the case into run, log and report."""
    references: Mapping[str, str] = field(default_factory=dict)
    """Exhibit to the reference file that full-reference metrics compare with, paths below the folder."""
    exhibits: tuple[Listed, ...] | None = None
    marks: tuple[Marked, ...] = ()
    """Regions of clips to be followed and fused."""


def valid_case_id(case_id: str) -> bool:
    """Whether `case_id` can be a folder name, a Dagster partition key and a part of a report's id."""
    return bool(_ID.fullmatch(case_id)) and ".." not in case_id


def read_case_file(folder: Path, default_id: str | None = None) -> CaseFile:
    """The `case.yaml` of `folder`; without one, the case id is `default_id` or the folder's own name.

    Raises:
        CaseFileError: file, line, key, value and what is allowed.
    """
    path = folder / NAME
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise CaseFileError("case.not_a_file", file=str(path))
    if not path.exists():
        case_id = default_id or folder.name
        if not valid_case_id(case_id):
            raise CaseFileError("case.folder_name", folder=repr(case_id), allowed=_ID_WORDS)
        return CaseFile(case_id=case_id)
    size = path.stat().st_size
    if size > _LARGEST_FILE:  # before reading: a tick must not read what somebody calls case.yaml
        raise CaseFileError("case.too_large", file=NAME, size=size, allowed=_LARGEST_FILE)
    raw = path.read_bytes()
    try:
        content = raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise CaseFileError("case.not_utf8", file=NAME, offset=problem.start) from None
    return parse_case_file(content)


def parse_case_file(content: str) -> CaseFile:
    """A `case.yaml` from its text; errors as in `read_case_file`."""
    block = read_block(content, NAME, CaseFileError)
    for key in block.values:
        if key not in _KEYS:
            raise CaseFileError("case.unknown_key", file=NAME, line=block.lines[key], key=key,
                                allowed=", ".join(_KEYS))  # fmt: skip
    if "case" not in block:
        raise CaseFileError("case.missing_key", file=NAME, line=block.line, key="case")
    case_id = block["case"]
    if not isinstance(case_id, str) or not valid_case_id(case_id):
        raise _wrong(block, "case", _ID_WORDS)
    values: dict[str, Any] = {"case_id": case_id}
    for key in _TEXTS:
        value = block.get(key)
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
            raise _wrong(block, key, f"a printable line of at most {_LONGEST} characters")
        values[key] = value
    if block.get("preset") is not None:
        values["preset"] = _word(block, "preset", preset_names())
    if block.get("language") is not None:
        values["language"] = _word(block, "language", LANGUAGES)
    if block.get("request_id") is not None:
        if not isinstance(block["request_id"], str) or not valid_case_id(block["request_id"]):
            raise _wrong(block, "request_id", _ID_WORDS)
        values["request_id"] = block["request_id"]
    if "references" in block and block["references"] is not None:
        values["references"] = _references(block)
    if "exhibits" in block and block["exhibits"] is not None:
        values["exhibits"] = _exhibits(block)
    if "marks" in block and block["marks"] is not None:
        values["marks"] = read_marks(block, NAME)
    return CaseFile(**values)


def _word(block: Block, key: str, choices: tuple[str, ...]) -> str:
    if block[key] not in choices:
        raise _wrong(block, key, " | ".join(choices))
    return str(block[key])


def _references(block: Block) -> dict[str, str]:
    given = block["references"]
    if not isinstance(given, Block) or not all(
        isinstance(v, str) and v.isprintable() and k.isprintable() for k, v in given.values.items()
    ):
        raise _wrong(block, "references", "a mapping of exhibit: reference file")
    return {k: str(v) for k, v in given.values.items()}


def _exhibits(block: Block) -> tuple[Listed, ...]:
    allowed = "a list of names, or of {name: ..., size: bytes}"
    given = block["exhibits"]
    if not isinstance(given, list):
        raise _wrong(block, "exhibits", allowed)
    listed = []
    for item in given:
        name: Any = item.get("name") if isinstance(item, Block) else item
        size: Any = item.get("size") if isinstance(item, Block) else None
        good = isinstance(name, str) and name and name.isprintable()
        good = good and not name.startswith("/") and ".." not in name.split("/")
        if isinstance(item, Block) and set(item.values) - {"name", "size"}:
            good = False
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
            good = False
        if not good:
            line = item.line if isinstance(item, Block) else block.lines["exhibits"]
            shown = repr(item.plain() if isinstance(item, Block) else item)
            raise CaseFileError("case.value", file=NAME, line=line, key="exhibits", value=shown,
                                allowed=allowed)  # fmt: skip
        listed.append(Listed(name, size))
    return tuple(listed)


def _wrong(block: Block, key: str, allowed: str) -> CaseFileError:
    value = block[key].plain() if isinstance(block[key], Block) else block[key]
    return CaseFileError("case.value", file=NAME, line=block.lines[key], key=key,
                         value=repr(value)[:200], allowed=allowed)  # fmt: skip
