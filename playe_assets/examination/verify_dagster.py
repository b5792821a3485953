"""Dagster's materialization metadata against the store, the log and the reports.

Dagster's event log can be pruned and is no evidence: what it no longer has is said, and is no difference. What it
does state must agree, because people look at its pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from playe_assets.examination.verify_found import Difference, NotCompared
from playe_assets.examination.verify_log import Line, Logged
from playe_assets.examination.verify_store import Objects

_CLOCKS_S = 60.0
"""A wall clock may be set while an asset works; a materialization this much before its last line is named."""


@dataclass(frozen=True)
class Materialization:
    """One materialization of one of the case's assets, as Dagster's storage states it; null where it does not."""

    asset: str
    run_id: str
    at_utc: str
    """When Dagster wrote it."""
    data_version: str | None
    manifest_sha256: str | None
    verdicts_sha256: str | None
    examination_id: str | None
    request_id: str | None
    operator: str | None
    log_first_seq: int | None
    """-1 where nothing was logged (audit mode `off`)."""
    log_last_seq: int | None
    report_json_sha256: str | None = None
    report_pdf_sha256: str | None = None


@dataclass(frozen=True)
class DagsterSide:
    """All materializations of a case, oldest first; or why they could not be read."""

    materializations: tuple[Materialization, ...] = ()
    problem: str = ""
    """Empty, `absent` (there is no storage) or what its reader said."""


@dataclass
class Compared:
    """What comparing found."""

    compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    not_compared: tuple[NotCompared, ...] = ()


def compare_dagster(side: DagsterSide | None, logged: Logged, objects: Objects) -> Compared:
    """Hold every materialization against the store and the log; say which are not there any more."""
    if side is None or side.problem:
        problem = side.problem if side else ""
        code = {"": "dagster_not_asked", "absent": "dagster_absent"}.get(problem, "dagster_unreadable")
        facts = {"problem": problem} if code == "dagster_unreadable" else {}
        return Compared(not_compared=(NotCompared(code, facts),))
    found = Compared()
    unlogged: dict[str, None] = {}
    for made in side.materializations:
        if made.log_first_seq == -1:
            unlogged[made.run_id] = None
            continue
        found.compared += 1
        found.differences += _against_log(made, logged)
        found.differences += _against_store(made, objects)
    expected: dict[str, list[str]] = {}
    for asset, run in [*logged.made, *(("forensic_report", run) for run in logged.issued_by)]:
        if asset not in expected.setdefault(run, []):
            expected[run].append(asset)
    there = {(made.asset, made.run_id) for made in side.materializations}
    pruned = {run: [a for a in assets if (a, run) not in there] for run, assets in expected.items()}
    found.not_compared = (
        *(NotCompared("dagster_pruned", {"run": run, "assets": ", ".join(assets)})
          for run, assets in pruned.items() if assets),
        *(NotCompared("dagster_unlogged", {"run": run}) for run in unlogged),
        *([] if expected or side.materializations else [NotCompared("dagster_nothing", {})]),
    )  # fmt: skip
    return found


def _against_store(made: Materialization, objects: Objects) -> Iterator[Difference]:
    facts = {"asset": made.asset, "run": made.run_id}
    if made.data_version != made.manifest_sha256:
        yield Difference("dagster_version", {**facts, "version": made.data_version or "-",
                                             "sha256": made.manifest_sha256 or "-"})  # fmt: skip
    for code, sha256 in (("dagster_manifest_absent", made.manifest_sha256),
                         ("dagster_verdicts_absent", made.verdicts_sha256)):  # fmt: skip
        if not sha256 or objects.lacks(sha256):
            yield Difference(code, {**facts, "sha256": sha256 or "-"})


def _against_log(made: Materialization, logged: Logged) -> Iterator[Difference]:
    facts: dict[str, Any] = {"asset": made.asset, "run": made.run_id}
    own = [s for s, line in logged.lines.items() if (line.asset, line.run_id) == (made.asset, made.run_id)]
    if not own:
        yield Difference("dagster_not_in_log", facts)
        return
    first, last = made.log_first_seq, made.log_last_seq
    # The end of a stage's work may be logged just after Dagster was given the number of the last line.
    made_of = logged.made.get((made.asset, made.run_id), [])
    recorded = next((m for m in made_of if last is not None and m.first <= last <= m.last), None)
    whole = recorded is None or (
        first == recorded.first and not any(last < seq < recorded.last for seq in own if last is not None)
    )
    if first not in own or last not in own or not whole:
        yield Difference("dagster_lines", {**facts, "first": _shown(first), "last": _shown(last),
                                           "own_first": own[0], "own_last": own[-1]})  # fmt: skip
        return
    line = logged.lines[last]
    for name in ("examination_id", "request_id", "operator"):
        stated, said = getattr(made, name), getattr(line, name)
        if said is not None and stated != said:
            yield Difference("dagster_fact", {**facts, "name": name, "stated": _shown(stated), "recorded": said,
                                              "line": last})  # fmt: skip
    stated_both = (made.manifest_sha256, made.verdicts_sha256)
    for stated, said in zip(stated_both, recorded.outputs if recorded else (), strict=False):
        if stated != said:
            yield Difference("dagster_manifest", {**facts, "stated": _shown(stated), "recorded": said,
                                                  "line": recorded.last if recorded else last})  # fmt: skip
    yield from _report(made, logged, facts)
    yield from _time(made, line, facts)


def _report(made: Materialization, logged: Logged, facts: dict[str, Any]) -> Iterator[Difference]:
    """Whether the run issued the report that Dagster names, and made it from the manifests that Dagster names."""
    issued = logged.issued_by.get(made.run_id)
    if not issued:
        return
    if made.asset == "forensic_report":
        pdf = {p for pairs in logged.issued.values() for j, p in pairs if j in issued}
        if made.report_json_sha256 not in issued or made.report_pdf_sha256 not in pdf:
            yield Difference("dagster_report", {**facts, "stated": _shown(made.report_json_sha256),
                                                "pdf": _shown(made.report_pdf_sha256)})  # fmt: skip
        return
    used = {chain[made.asset] for j in issued if made.asset in (chain := logged.chain.get(j, {}))}
    if used and made.manifest_sha256 not in used:
        yield Difference("dagster_chain", {**facts, "stated": _shown(made.manifest_sha256),
                                           "recorded": ", ".join(sorted(used))})  # fmt: skip


def _shown(value: Any) -> Any:
    return "-" if value is None else value


def _time(made: Materialization, line: Line, facts: dict[str, Any]) -> Iterator[Difference]:
    try:
        at, ended = _moment(made.at_utc), _moment(line.ended_utc)
    except ValueError:
        return
    if (ended - at).total_seconds() > _CLOCKS_S:
        yield Difference("dagster_time", {**facts, "at": made.at_utc, "ended": line.ended_utc})


def _moment(utc: str) -> datetime:
    return datetime.fromisoformat(utc.replace("Z", "+00:00"))
