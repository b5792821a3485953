"""From a stage's result to Dagster's: materialization metadata and check results; and errors to failures.

Metadata holds digests, counts, exhibit numbers and links, no evidence names, EXIF or pixels: Dagster's event
log outlives an erased case (thumbnails only where `inline_previews` is on).
"""

from __future__ import annotations

import base64
import errno
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg

from playe_assets.core.errors import PlayeError, TransientError
from playe_assets.core.values import Verdict
from playe_assets.custody.record import Operation
from playe_assets.examination.judge import passed
from playe_assets.examination.stage import Stage
from playe_assets.gates import GATES

F = TypeVar("F", bound=Callable[..., Any])
_PREVIEW_BYTES = 100_000


def plain_failures(body: F) -> F:
    """Errors become failures without retries, in one sentence; transient ones and the system's go up, to be retried.

    A defect of ours would only fail again, hours later, as "Exceeded max_retries".
    """

    @functools.wraps(body)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return body(*args, **kwargs)
        except (TransientError, dg.Failure):
            raise
        except OSError as problem:
            # Its text may hold the name of a file; its number says enough, and it may pass: retry.
            raise TransientError("system.os_error", errno=problem.errno, name=_errno(problem)) from None
        except PlayeError as problem:
            # Without the cause: Dagster would keep its text, and names with it.
            raise dg.Failure(
                description=problem.anonymous(), metadata={"code": problem.code}, allow_retries=False
            ) from None
        except Exception as problem:
            said = f"{type(problem).__name__}: {problem}"
            raise dg.Failure(
                description=said, metadata={"code": "unexpected"}, allow_retries=False
            ) from problem

    return wrapped  # type: ignore[return-value]


def _errno(problem: OSError) -> str:
    return errno.errorcode.get(problem.errno or 0, type(problem).__name__)


def materialized(
    stage: Stage,
    work: Operation,
    *,
    manifest: str,
    verdicts: Mapping[str, Sequence[Verdict]],
    started: float,
    rows: Sequence[Mapping[str, Any]] = (),
    extra: Mapping[str, Any] | None = None,
) -> dg.MaterializeResult:
    """The asset's result. `rows` becomes a table; `started` is `time.monotonic()` when the work began.

    What Dagster's metadata states, the log states too: `work`, the record of the stage, gets both digests, because
    Dagster's own can be edited or pruned.
    """
    kept = stage.store.put_json([v for group in verdicts.values() for v in group])
    work.outputs += [manifest, kept]
    work.checks += [{"gate": gate, "passed": passed(list(group)), "verdicts": len(group)}
                    for gate, group in verdicts.items()]  # fmt: skip
    seqs = stage.recorder.seqs
    metadata: dict[str, Any] = {
        **({"table": table(rows)} if rows else {}),
        **(extra or {}),
        "examination_id": dg.MetadataValue.text(stage.recorder.examination_id or ""),
        "manifest_sha256": dg.MetadataValue.text(manifest),
        "verdicts_sha256": dg.MetadataValue.text(kept),
        "request_id": dg.MetadataValue.text(stage.recorder.request_id),
        "operator": dg.MetadataValue.text(stage.recorder.operator.id),
        "manifest": dg.MetadataValue.path(str(stage.store.path(manifest))),
        "log_first_seq": dg.MetadataValue.int(seqs[0] if seqs else -1),
        "log_last_seq": dg.MetadataValue.int(seqs[-1] if seqs else -1),
        "duration_s": dg.MetadataValue.float(round(time.monotonic() - started, 3)),
    }
    return dg.MaterializeResult(
        data_version=dg.DataVersion(manifest),
        metadata=metadata,
        check_results=[_check(gate, group, manifest) for gate, group in verdicts.items()],
    )


def table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows of plain values as a table in the UI; null shows as an empty cell."""
    names = list(rows[0])
    kinds = {name: _kind([row.get(name) for row in rows]) for name in names}
    records = [
        dg.TableRecord({n: _cell(row.get(n), kinds[n]) for n in names})
        for row in rows
    ]  # fmt: skip
    columns = [dg.TableColumn(name=n, type=kinds[n]) for n in names]
    return dg.MetadataValue.table(records=records, schema=dg.TableSchema(columns=columns))


def preview(pictures: Mapping[str, bytes]) -> dg.MarkdownMetadataValue | None:
    """PNG thumbnails side by side as markdown, at most 100 KB of them; None where nothing fits."""
    parts, used = [], 0
    for name, data in pictures.items():
        if used + len(data) > _PREVIEW_BYTES:
            continue
        used += len(data)
        parts.append(f"**{name}** ![{name}](data:image/jpeg;base64,{base64.b64encode(data).decode()})")
    return dg.MetadataValue.md("\n\n".join(parts)) if parts else None


def _check(gate: str, verdicts: Sequence[Verdict], manifest: str) -> dg.AssetCheckResult:
    integrity = GATES.get(gate).kind == "integrity"
    failed = [v for v in verdicts if not v.passed]
    metadata: dict[str, Any] = {
        "manifest_sha256": dg.MetadataValue.text(manifest),
        "kind": dg.MetadataValue.text(GATES.get(gate).kind),
        "judged": dg.MetadataValue.int(len(verdicts)),
        "refused": dg.MetadataValue.int(len(failed)),
    }
    if failed:
        metadata["verdicts"] = table([_verdict_row(v) for v in failed])
    first = failed[0] if failed else None
    said = (
        f"{first.exhibit or 'case'}: {first.expectation}: {first.observed}, allowed {first.allowed}"
        if first
        else None
    )
    return dg.AssetCheckResult(
        check_name=gate,
        passed=passed(list(verdicts)),
        severity=dg.AssetCheckSeverity.ERROR if integrity else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
        description=said,
    )


def _verdict_row(verdict: Verdict) -> dict[str, Any]:
    return {
        "exhibit": verdict.exhibit or "case",
        "derivative": verdict.derivative or "",
        "expectation": verdict.expectation or "",
        "observed": verdict.observed or "",
        "allowed": verdict.allowed or "",
        "on_fail": verdict.on_fail,
    }


def _kind(values: Sequence[Any]) -> str:
    known = [v for v in values if v is not None]
    if known and len(known) == len(values) and all(isinstance(v, bool) for v in known):
        return "bool"
    if known and len(known) == len(values) and all(isinstance(v, int) for v in known):
        return "int"
    if known and len(known) == len(values) and all(isinstance(v, (int, float)) for v in known):
        return "float"
    return "string"


def _cell(value: Any, kind: str) -> Any:
    if kind != "string":
        return float(value) if kind == "float" else value
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
