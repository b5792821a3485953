"""One context manager for every operation: a line when it starts, a line when it ends or fails.

Both lines share an `op_id` and carry every field of the record (design, "The record"); what does not apply
is null. Audit mode `full` writes all, `basic` leaves out parameters and environment, `off` writes nothing
(and no report can be issued then).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playe_assets.core.errors import PlayeError
from playe_assets.custody import environment
from playe_assets.custody.log import CustodyLog, utc_now

AUDIT_MODES = ("off", "basic", "full")
FIELDS = (
    "event", "op_id", "request_id", "case_id", "examination_id", "exhibit", "step", "operator",
    "t_start_utc", "t_end_utc", "duration_ms", "status", "error", "input_sha256", "output_sha256", "activity",
    "model", "params", "seed", "precision", "tiling", "runtime", "env", "metrics", "checks", "override",
    "ai_class",
)  # fmt: skip
_LEFT_OUT_BY_BASIC = ("params", "runtime", "env")


@dataclass(frozen=True)
class Operator:
    """Who asked for it. `auth` says how that is known: `os-user`, `case-file`, `dagster-tag`, `session`."""

    id: str
    role: str
    auth: str


@dataclass(frozen=True)
class Activity:
    """Where in Dagster the operation runs; all null outside it."""

    asset_key: str | None = None
    partition: str | None = None
    run_id: str | None = None
    step_key: str | None = None


@dataclass
class Operation:
    """What an operation learns while it works; the end line carries it."""

    op_id: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    seqs: list[int] = field(default_factory=list)


class Recorder:
    """Writes the operations of one stage of one case. Copy with `within` for another stage."""

    def __init__(
        self,
        log: CustodyLog,
        *,
        request_id: str,
        case_id: str | None,
        operator: Operator,
        activity: Activity | None = None,
        audit: str = "full",
    ) -> None:
        self.log = log
        self.request_id = request_id
        self.case_id = case_id
        self.operator = operator
        self.activity = activity or Activity()
        self.audit = audit
        self.examination_id: str | None = None
        self.threads: int | None = None
        """Threads that the libraries were told to use; null until the stage has said so."""
        self.seqs: list[int] = []
        """Sequence numbers written so far, for the materialization's metadata."""

    @contextmanager
    def operation(
        self,
        event: str,
        *,
        exhibit: str | None = None,
        step: str | None = None,
        inputs: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        ai_class: str | None = None,
        model: Mapping[str, Any] | None = None,
    ) -> Iterator[Operation]:
        """Record `event` (`custody.*` or `processing.*`) around the block; failures are recorded and go on up."""
        work = Operation(op_id=secrets.token_hex(8), inputs=list(inputs))
        started, clock = utc_now(), time.monotonic()
        given = {"event": event, "exhibit": exhibit, "step": step, "params": params, "ai_class": ai_class,
                 "model": model, "t_start_utc": started}  # fmt: skip
        self._write(work, {**given, "status": "started"})
        try:
            yield work
        except BaseException as problem:
            self._write(work, {**given, **self._ended(clock), "status": "failed", "error": _error(problem)})
            raise
        self._write(work, {**given, **self._ended(clock), "status": "ok"})

    def note(self, event: str, **fields: Any) -> None:
        """A single line without duration, such as `custody.received`."""
        work = Operation(op_id=secrets.token_hex(8))
        now = utc_now()
        self._write(work, {"event": event, "t_start_utc": now, "t_end_utc": now, "duration_ms": 0,
                           "status": "ok", **fields})  # fmt: skip

    def _ended(self, clock: float) -> dict[str, Any]:
        return {"t_end_utc": utc_now(), "duration_ms": round((time.monotonic() - clock) * 1000, 3)}

    def _write(self, work: Operation, fields: Mapping[str, Any]) -> None:
        if self.audit == "off":
            return
        entry: dict[str, Any] = dict.fromkeys(FIELDS)
        entry.update(
            op_id=work.op_id,
            request_id=self.request_id,
            case_id=self.case_id,
            examination_id=self.examination_id,
            operator={"id": self.operator.id, "role": self.operator.role, "auth": self.operator.auth},
            activity={
                "asset_key": self.activity.asset_key,
                "partition": self.activity.partition,
                "run_id": self.activity.run_id,
                "step_key": self.activity.step_key,
                "code_version": environment.code_version(),
            },
            input_sha256=work.inputs,
            output_sha256=work.outputs,
            metrics=work.metrics or None,
            checks=work.checks or None,
            runtime={**environment.runtime(), "threads": self.threads},
            env=environment.env(),
        )
        entry.update(fields)
        entry.update(work.extra)
        if self.audit == "basic":
            entry.update(dict.fromkeys(_LEFT_OUT_BY_BASIC))
        numbers = self.log.append([entry])
        work.seqs += numbers
        self.seqs += numbers


def _error(problem: BaseException) -> dict[str, Any]:
    if isinstance(problem, PlayeError):
        # Facts may hold names of evidence files: the log is inside the laboratory, Dagster's is not.
        return {"type": type(problem).__name__, "code": problem.code, "message": str(problem)}
    return {"type": type(problem).__name__, "code": None, "message": str(problem)[:500]}
