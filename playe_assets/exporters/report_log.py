"""The log's lines as the report needs them: pairs of lines (start, end) become one record of a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_KEYS = ("exhibit", "status", "t_start_utc", "t_end_utc", "duration_ms", "operator", "activity", "model",
         "seed", "precision", "tiling", "runtime", "input_sha256", "output_sha256")  # fmt: skip


def step_name(line: Mapping[str, Any]) -> str | None:
    """Which step a line is about: its `step`, or the last word of `processing.<step>`."""
    named = line.get("step")
    if named:
        return str(named)
    event = str(line.get("event") or "")
    kind, _, rest = event.partition(".")
    word = rest.split(".")[0]
    return word if kind == "processing" and word and word not in ("start", "end", "step") else None


def step_records(log: Iterable[Mapping[str, Any]], examination_id: str) -> list[dict[str, Any]]:
    """One record for each operation `processing.*` of this examination, in the log's order.

    Each has `step`, `seqs` (its lines), and the fields of "The record" that say when, who, where and on
    what; a later line wins a field, and a field that no line states is null.
    """
    records: dict[str, dict[str, Any]] = {}
    for line in log:
        if not str(line.get("event") or "").startswith("processing."):
            continue
        if line.get("examination_id") not in (None, examination_id):
            continue  # another examination of the case; its lines stand in the extract only
        key = str(line.get("op_id") or f"seq {line.get('seq')}")
        record = records.setdefault(key, {"step": None, "seqs": [], **dict.fromkeys(_KEYS)})
        record["seqs"].append(line.get("seq"))
        record["step"] = step_name(line) or record["step"]
        for name in _KEYS:
            value = line.get(name)
            if value is not None and (value != [] or record[name] is None):
                record[name] = value
    return list(records.values())
