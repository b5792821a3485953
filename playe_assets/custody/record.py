"""One context manager for every operation: a line when it starts, a line when it ends or fails.

Both lines share an `op_id` and carry every field of the record (design, "The record"); what does not apply
is null, for a reason that stands in `custody/fields.py`. Audit mode `full` writes all, `basic` leaves out
parameters and environment, `off` writes nothing (and no report can be issued then).
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
from playe_assets.custody.fields import EVENTS, FIELDS, LEFT_OUT_BY_BASIC
from playe_assets.custody.log import CustodyLog, utc_now

AUDIT_MODES = ("off", "basic", "full")


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
    def record(
        self,
        event: str,
        *,
        step: str | None = None,
        exhibit: str | None = None,
        inputs: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        ai_class: str | None = None,
        model: Mapping[str, Any] | None = None,
        **known: Any,
    ) -> Iterator[Operation]:
        """Record `event` (`custody.*` or `processing.*`) around the block; failures are recorded and go on up.

        Args:
            event: one of `custody.fields.EVENTS`.
            step: what is done, as the report names it, such as `2 denoise` or `case submit`.
            exhibit: the exhibit's number, such as `E001`; null where it concerns more than one.
            inputs: sha256 of what it reads; more may be added to the operation's `inputs`.
            params: every parameter, defaults too; none is `{}`.
            ai_class: class of what it makes.
            model: the learned models by card name, with weights, licence and approval.
            known: further fields that are known before it begins: `seed`, `precision`, `tiling`, `runtime`.

        Raises:
            ValueError: an event or a field that the record does not know.
            LockTimeoutError, IntegrityError, OSError: the start could not be recorded, and the operation has
                not begun; or its end could not, and it does not count as done. An error of the operation
                itself is never hidden by one of recording it.
        """
        if event not in EVENTS or not known.keys() <= set(FIELDS):
            raise ValueError(
                f"no such event or field: {event} {sorted(known)}; see playe_assets/custody/fields.py"
            )
        work = Operation(op_id=secrets.token_hex(8), inputs=list(inputs))
        started, clock = utc_now(), time.monotonic()
        given = {"event": event, "exhibit": exhibit, "step": step, "params": dict(params or {}),
                 "ai_class": ai_class, "model": model, "t_start_utc": started, **known}  # fmt: skip
        self._write(work, {**given, "status": "started"})
        try:
            yield work
        except BaseException as problem:
            try:
                self._write(
                    work, {**given, **self._ended(clock), "status": "failed", "error": _error(problem)}
                )
            except Exception as second:  # noqa: BLE001 (what failed first is what must be known)
                problem.add_note(f"the custody log holds the start of {event}, not this failure: {second}")
            raise
        self._write(work, {**given, **self._ended(clock), "status": "ok"})

    def note(
        self,
        event: str,
        *,
        input_sha256: Sequence[str] = (),
        output_sha256: Sequence[str] = (),
        metrics: Mapping[str, Any] | None = None,
        checks: Sequence[Mapping[str, Any]] = (),
        error: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> None:
        """A fact that is so already, such as `custody.refused`: a pair like any other, with nothing in between.

        With `error` the pair ends as `failed`: something else had failed, and this is its record.
        """
        with self.record(event, inputs=input_sha256, **given) as work:
            work.outputs += output_sha256
            work.metrics.update(metrics or {})
            work.checks += [dict(check) for check in checks]
            if error is not None:
                work.extra.update(status="failed", error=dict(error))

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
            entry.update(dict.fromkeys(LEFT_OUT_BY_BASIC))
        numbers = self.log.append([entry])
        work.seqs += numbers
        self.seqs += numbers


def _error(problem: BaseException) -> dict[str, Any]:
    if isinstance(problem, PlayeError):
        # Facts may hold names of evidence files: the log is inside the laboratory, Dagster's is not.
        return {"type": type(problem).__name__, "code": problem.code, "message": str(problem)}
    return {"type": type(problem).__name__, "code": None, "message": str(problem)[:500]}
