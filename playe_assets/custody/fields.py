"""Which field of a record may be null, for which event, and why; the fields that are left out without a reason.

A null is a statement: "does not apply here, because". Every event that is ever recorded stands in `EVENTS`; the
recorder refuses any other. `docs/record.md` shows the same as a table (a test keeps it in step).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Line = Mapping[str, Any]
"""An entry of the log."""

FIELDS: Final = (
    "event", "op_id", "request_id", "case_id", "examination_id", "exhibit", "step", "operator",
    "t_start_utc", "t_end_utc", "duration_ms", "status", "error", "input_sha256", "output_sha256", "activity",
    "model", "params", "seed", "precision", "tiling", "runtime", "env", "metrics", "checks", "override",
    "ai_class",
)  # fmt: skip
"""Of every line; the log adds `seq`, `prev_hash`, `clock_boottime`, `clock_utc` and `boot_id`."""
LEFT_OUT_BY_BASIC: Final = ("params", "runtime", "env")
"""Null on every line where the laboratory audits in mode `basic`."""


@dataclass(frozen=True)
class Why:
    """A reason for a null, and where it holds."""

    said: str
    holds: Callable[[Line], bool] = lambda _line: True
    """Whether the line is one of which the reason can be true."""


def _started(line: Line) -> bool:
    return bool(line["status"] == "started")


def _not_ok(line: Line) -> bool:
    return bool(line["status"] != "ok")


def _basic(line: Line) -> bool:
    return all(line[name] is None for name in LEFT_OUT_BY_BASIC)


def _classical(line: Line) -> bool:
    """No learned model worked: none is named, and nothing is labelled as its work."""
    return line["model"] is None and line["ai_class"] in (None, "none")


def _no_engine(line: Line) -> bool:
    """Without a model, with parameters only (no network), or not yet at work."""
    return line["model"] is None or (line["runtime"] or {"name": "opencv"})["name"] == "opencv"


def _outside_cases(line: Line) -> bool:
    return line["exhibit"] is None and line["activity"]["asset_key"] is None


WHY: Final[Mapping[str, Why]] = {
    "not_over": Why("the operation has only started; its end line states it", _started),
    "not_done": Why("the operation has not ended well, so there is nothing to state", _not_ok),
    "not_failed": Why("nothing failed", lambda line: line["status"] != "failed"),
    "basic": Why("the laboratory audits in mode `basic`, which leaves it out", _basic),
    "nothing_random": Why("nothing in the operation is drawn at random: the same input gives the same output"),
    "not_overridden": Why("no person overrode a verdict"),
    "no_model": Why("no learned model takes part", _classical),
    "no_engine": Why("no learned engine works; the arithmetic of the other code is fixed by `activity.code_version`",
                     _no_engine),
    "no_tiles": Why("no learned engine cuts the picture into tiles; whole frames are worked on"),
    "laboratory": Why("the operation belongs to the laboratory, not to a case", _outside_cases),
    "no_case_named": Why("the folder does not say, in a readable `case.yaml`, which case it is"),
    "before_examination": Why("the examination is opened when intake has ended, so it has no id yet"),
    "no_examination": Why("the operation is not part of an examination"),
    "not_reached": Why("the examination is opened within the operation; its end line has the id", _not_ok),
    "whole_case": Why("the operation concerns the whole case or laboratory, not one exhibit"),
    "no_picture": Why("the operation makes no picture, so there is nothing to label"),
    "not_measured": Why("the operation measures nothing"),
    "not_judged": Why("the operation judges nothing"),
    "from_outside": Why("it takes bytes from outside, whose digest is known when they are read: it stands in "
                        "`output_sha256`"),
    "the_log": Why("what it reads is the log itself, which the checkpoint in `output_sha256` names by its root"),
    "no_input": Why("the operation reads no object of the evidence store"),
    "no_output": Why("the operation stores no object"),
    "none_issued": Why("the case may have no report yet that it could name"),
    "none_made": Why("there may be nothing to make: the exhibit is a photograph without ledger, or too little agrees"),
    "own_segment": Why("the step's input is what the step before hands on; its digest is known when the segment ends",
                       _not_ok),
    "in_detect": Why("the findings of all detectors are one object, which `processing.detect` states"),
    "before_report": Why("`processing.report` states what the report was made from"),
}  # fmt: skip
"""Reasons by code."""

_EVERYWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "t_end_utc": ("not_over",), "duration_ms": ("not_over",), "error": ("not_failed",),
    "output_sha256": ("not_done",), "metrics": ("not_done",), "checks": ("not_done",), "ai_class": ("not_done",),
    "params": ("basic",), "runtime": ("basic",), "env": ("basic",), "override": ("not_overridden",),
    "precision": ("no_engine",), "tiling": ("no_tiles",), "seed": ("nothing_random",), "model": ("no_model",),
}  # fmt: skip
"""What may be null for any event, where its reason holds."""

_LABORATORY = {"case_id": "laboratory", "examination_id": "no_examination", "exhibit": "whole_case"}
_OF_CASE = {"examination_id": "no_examination", "exhibit": "whole_case"}
_INTAKE = {"examination_id": "before_examination"}
_STAGE = {"examination_id": "not_reached", "exhibit": "whole_case"}
_FACT = {"metrics": "not_measured", "checks": "not_judged", "ai_class": "no_picture"}
_MODEL = {**_LABORATORY, "metrics": "not_measured", "checks": "not_judged"}
_BYTES = {"input_sha256": "no_input", "output_sha256": "no_output"}

EVENTS: Final[Mapping[str, Mapping[str, str]]] = {
    # Custody: who held it.
    "custody.submitted": {**_OF_CASE, **_BYTES, "checks": "not_judged", "ai_class": "no_picture"},
    "custody.drop_rejected": {**_OF_CASE, **_BYTES, "case_id": "no_case_named", "metrics": "not_measured",
                              "ai_class": "no_picture"},
    "custody.case_opened": {**_INTAKE, **_FACT, **_BYTES, "exhibit": "whole_case"},
    "custody.received": {**_INTAKE, "exhibit": "whole_case", "input_sha256": "from_outside",
                         "output_sha256": "none_made", "checks": "not_judged", "ai_class": "no_picture"},
    "custody.acquired": {**_INTAKE, "input_sha256": "from_outside", "checks": "not_judged",
                         "ai_class": "no_picture"},
    "custody.refused": {**_INTAKE, **_BYTES, "exhibit": "whole_case", "metrics": "not_measured",
                        "ai_class": "no_picture"},
    "custody.report_issued": {**_FACT, "exhibit": "whole_case", "input_sha256": "before_report"},
    "custody.report_withheld": {**_STAGE, **_FACT, "input_sha256": "before_report"},
    "custody.case_verified": {**_OF_CASE, "input_sha256": "none_issued", "output_sha256": "no_output",
                              "ai_class": "no_picture"},
    "custody.report_verified": {**_OF_CASE, "metrics": "not_measured", "output_sha256": "none_made",
                                "ai_class": "no_picture"},
    "custody.rerun_opened": {**_INTAKE, **_FACT, "exhibit": "whole_case", "output_sha256": "no_output"},
    "custody.exported": {**_OF_CASE, **_FACT},
    "custody.log_exported": {**_OF_CASE, "input_sha256": "the_log", "checks": "not_judged", "ai_class": "no_picture"},
    "custody.checkpointed": {**_LABORATORY, **_FACT, "input_sha256": "the_log"},
    "custody.timestamped": {**_LABORATORY, **_FACT},
    "custody.timestamp_failed": {**_LABORATORY, **_FACT, "output_sha256": "no_output"},
    "custody.signature_failed": {**_STAGE, **_FACT, "input_sha256": "before_report"},
    "custody.services": {**_LABORATORY, **_FACT, **_BYTES},
    "custody.weights_pulled": {**_MODEL, "input_sha256": "from_outside"},
    "custody.weights_imported": {**_MODEL, "input_sha256": "from_outside", "ai_class": "no_picture"},
    "custody.model_approved": {**_MODEL, "output_sha256": "no_output"},
    "custody.model_withdrawn": {**_MODEL, "output_sha256": "no_output"},
    # Processing: how it was made.
    "processing.run_requested": {**_OF_CASE, **_BYTES, "checks": "not_judged", "ai_class": "no_picture"},
    "processing.run_failed": {**_LABORATORY, **_BYTES, **_FACT, "case_id": "no_case_named"},
    "processing.stage": {**_STAGE, "input_sha256": "no_input", "metrics": "not_measured", "ai_class": "no_picture"},
    "processing.identified": {**_INTAKE, "output_sha256": "none_made", "metrics": "not_measured",
                              "ai_class": "no_picture"},
    "processing.examination_opened": {**_FACT, "exhibit": "whole_case"},
    "processing.detect": {"metrics": "not_measured", "checks": "not_judged"},
    "processing.detector": {"output_sha256": "in_detect", "checks": "not_judged"},
    "processing.tracks": {"output_sha256": "in_detect", "checks": "not_judged"},
    "processing.detection_reused": {"metrics": "not_measured", "checks": "not_judged"},
    "processing.detection_spoilt": {**_BYTES, **_FACT},
    "processing.enhance": {"checks": "not_judged"},
    "processing.step": {"input_sha256": "own_segment", "metrics": "not_measured", "checks": "not_judged"},
    "processing.segments_reused": {**_BYTES, "checks": "not_judged"},
    "processing.track_fusion": {"output_sha256": "none_made", "checks": "not_judged"},
    "processing.measure": {"output_sha256": "none_made", "checks": "not_judged"},
    "processing.gate": {"exhibit": "whole_case", "input_sha256": "no_input", "output_sha256": "no_output",
                        "metrics": "not_measured", "ai_class": "no_picture"},
    "processing.report": {**_FACT, "exhibit": "whole_case"},
    "processing.model_built": {**_MODEL, "output_sha256": "none_made"},
    "processing.model_certified": {**_LABORATORY, "metrics": "not_measured"},
    "processing.models_readied": {**_LABORATORY, **_BYTES, **_FACT},
    "processing.models_warmed": {**_LABORATORY, **_BYTES, **_FACT},
}  # fmt: skip
"""Every event, and what may be null in its records beside `_EVERYWHERE`: field to a code of `WHY`.

An empty `input_sha256` or `output_sha256` counts as null: the operation says which bytes it took and gave.
"""

SINGLE: Final[Mapping[str, str]] = {
    "log.torn": "the log itself acknowledges lines that a crash cut short; no operation of ours surrounds it",
    "log.rotated": "the log itself goes on in a new file",
    "log.checkpoint": "the log itself states a checkpoint that was made; the checkpoint is the proof",
}
"""Events that are one line instead of a pair, with none of the fields, and why."""


def excuses(event: str, field: str) -> tuple[str, ...]:
    """The codes of the reasons for which `field` may be null in a record of `event`."""
    own = EVENTS[event].get(field)
    return (*_EVERYWHERE.get(field, ()), *((own,) if own else ()))


def left_out(line: Line) -> list[str]:
    """The fields that the record `line` leaves out with no reason that holds; empty where all is stated.

    Raises:
        KeyError: an event that does not stand in `EVENTS`.
    """
    absent = [name for name in FIELDS if name not in line]
    null = [name for name in FIELDS if name not in absent and line[name] in (None, [], "")]
    return absent + [n for n in null if not any(WHY[code].holds(line) for code in excuses(line["event"], n))]


def table() -> str:
    """The events and reasons in Markdown, as `docs/record.md` shows them."""
    rows = ["| field | may be null for any event, because |", "|---|---|"]
    rows += [
        f"| `{field}` | {'; '.join(WHY[c].said for c in codes)} |" for field, codes in _EVERYWHERE.items()
    ]
    rows += ["", "| event | may be null besides |", "|---|---|"]
    rows += [
        f"| `{event}` | {', '.join(f'`{field}` ({code})' for field, code in sorted(null.items())) or '-'} |"
        for event, null in sorted(EVENTS.items())
    ]
    used = sorted({code for null in EVENTS.values() for code in null.values()})
    rows += ["", "| reason | in words |", "|---|---|", *(f"| {code} | {WHY[code].said} |" for code in used)]
    rows += ["", "| one line only | why |", "|---|---|", *(f"| `{e}` | {why} |" for e, why in SINGLE.items())]
    return "\n".join(rows) + "\n"
