"""The report's JSON Schema (draft 2020-12), published in the package, and the check against it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.errors import IntegrityError

FOLDER = Path(__file__).resolve().parent.parent / "schemas"
VERSIONS = ("1.0", "1.1", "1.2")
"""Those that can still be read, the newest last; new reports have the newest."""


@functools.cache
def report_schema(version: str = VERSIONS[-1]) -> dict[str, Any]:
    """The published schema; it describes reports (`kind: report`) and notices (`kind: notice`)."""
    text = (FOLDER / f"report-{version}.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def validate_report(report: Mapping[str, Any]) -> None:
    """Hold `report` against the schema of its own version; an unknown version is held against the newest.

    Raises:
        IntegrityError: it does not fit; the message names the place and what is wrong there.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    stated = report.get("schema_version")
    schema = report_schema(stated if stated in VERSIONS else VERSIONS[-1])
    problem = best_match(Draft202012Validator(schema).iter_errors(to_plain(report)))
    if problem is not None:
        raise IntegrityError("report.schema", place=problem.json_path, problem=problem.message[:400])
