"""The report's JSON Schema (draft 2020-12), published in the package, and the check against it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.errors import IntegrityError

SCHEMA_FILE = Path(__file__).resolve().parent.parent / "schemas" / "report-1.0.schema.json"


@functools.cache
def report_schema() -> dict[str, Any]:
    """The published schema; it describes reports (`kind: report`) and notices (`kind: notice`)."""
    found: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return found


def validate_report(report: Mapping[str, Any]) -> None:
    """Hold `report` against the schema.

    Raises:
        IntegrityError: it does not fit; the message names the place and what is wrong there.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    problem = best_match(Draft202012Validator(report_schema()).iter_errors(to_plain(report)))
    if problem is not None:
        raise IntegrityError("report.schema", place=problem.json_path, problem=problem.message[:400])
