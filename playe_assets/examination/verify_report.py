"""A report checked offline: its form, digests, derivation, records, proof, checkpoint, time stamps, signatures.

Needed are the report's file and, where they lie beside it, `report.pdf`, `report.json.p7s` and `checkpoints.json`;
no laboratory, no network, no secret. Every check says whether it holds, does not hold, or could not be made, and why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import canonical_json, digest
from playe_assets.core.errors import CommandError, IntegrityError
from playe_assets.examination.rerun_compare import Said
from playe_assets.examination.rerun_evidence import find_by_digest
from playe_assets.examination.stage import Progress, Words, silent
from playe_assets.examination.verify_derivation import derivation, records
from playe_assets.examination.verify_signed import (
    FAILS,
    HOLDS,
    LARGEST,
    Check,
    Given,
    With,
    checkpoint,
    detached,
    not_checked,
    pdf,
    time_stamps,
)
from playe_assets.exporters.report_schema import VERSIONS, validate_report

_SHOWN = 20
"""Problems of one check that are told one by one."""


@dataclass
class Verified:
    """Every check, in order."""

    report_id: str
    sha256: str
    schema_version: str
    checks: list[Check] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing that could be checked fails."""
        return all(c.state != FAILS for c in self.checks)

    @property
    def vouched(self) -> bool:
        """Whether anybody besides the report itself vouches for any of it: a trusted signature, a key or a time."""
        return any(
            c.state == HOLDS
            and (
                c.code in ("signature_json", "signature_pdf", "time_stamp")
                or any(w.key == "check.checkpoint.pinned" for w in c.said)
            )
            for c in self.checks
        )

    @property
    def readable(self) -> bool:
        """Whether the form holds, so that the rest could be looked at, and a rerun makes sense."""
        return next((c.state == HOLDS for c in self.checks if c.code == "form"), False)


def read_report(path: Path) -> Given:
    """The report in the file `path`.

    Raises:
        CommandError: there is none, it is no JSON object, or it is the notice of a withheld report.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise CommandError("report.no_report", path=str(path), problem=f"> {LARGEST} bytes")
        raw = path.read_bytes()
        content = json.loads(raw, object_pairs_hook=_once, parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as problem:
        raise CommandError("report.no_report", path=str(path), problem=str(problem)) from None
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind == "notice":
        raise CommandError("report.is_notice", path=str(path))
    if kind != "report":
        raise CommandError("report.no_report", path=str(path), problem=f"kind {kind!r}")
    return Given(path, raw, content)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two values they take: one would show what the other never checked."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(n for n in names if names.count(n) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def verify_report(given: Given, beside: With, progress: Progress = silent) -> Verified:
    """Every check of the report; one that cannot be made says why, and none keeps another from being made."""
    report = given.content
    found = Verified(str(report.get("report_id")), given.sha256, str(report.get("schema_version")))
    found.checks.append(_form(report))
    if not found.readable:
        return found  # what is not written as a report cannot be asked further
    custody, findings = report["sections"]["custody"], report["findings"]
    text, inputs = report["sections"]["administration"]["preset"]["text"], findings["inputs"]
    checks: dict[str, Callable[[], Check]] = {
        "findings": lambda: _equal("findings", digest(findings), report["findings_sha256"]),
        "recipe": lambda: _equal("recipe", _sha256_of(text), findings["preset"]["sha256"]),
        "examination": lambda: _equal("examination", f"X-{digest(inputs)[:32]}", findings["examination_id"]),
        "derivation": lambda: _told("derivation", derivation(report)),
        "records": lambda: _told("records", records(report)),
        "extract": lambda: _extract(custody),
        "proof": lambda: _proof(report),
        "checkpoint": lambda: checkpoint(given, custody, beside),
        "time_stamp": lambda: time_stamps(custody, beside),
        "signature_json": lambda: detached(given, custody, beside),
        "signature_pdf": lambda: pdf(given, custody, beside),
        "exhibits": lambda: _bytes("exhibits", findings["exhibits"], beside.exhibits, progress),
        "derivatives": lambda: _bytes("derivatives", findings["derivatives"], beside.derivatives, progress),
    }
    found.checks += [_made(code, check) for code, check in checks.items()]
    return found


def _made(code: str, check: Callable[[], Check]) -> Check:
    """The check; content that the schema lets through and PLAYE never writes fails it instead of ending the others."""
    try:
        return check()
    except (
        TypeError, KeyError, AttributeError, ValueError, IndexError, OverflowError, RecursionError
    ) as problem:  # fmt: skip
        return Check(
            code, FAILS, (Words("check.broken", problem=f"{type(problem).__name__}: {problem}"[:200]),)
        )


def _form(report: Mapping[str, Any]) -> Check:
    version = report.get("schema_version")
    if version not in VERSIONS:
        return Check(
            "form", FAILS, (Words("check.form.version", version=version, known=", ".join(VERSIONS)),)
        )
    try:
        validate_report(report)
    except IntegrityError as problem:
        # Not the sentence of whoever issues reports: here it is somebody else's file.
        return Check("form", FAILS, (Words("check.form.unfit", version=version, **problem.facts),))
    except RecursionError:
        return Check("form", FAILS, (Words("check.broken", problem="RecursionError"),))
    return Check("form", HOLDS, (Words("check.form.fits", version=version),))


def _sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _equal(code: str, found: str, stated: Any) -> Check:
    if found == stated:
        return Check(code, HOLDS, (Words("check.equal", sha256=found),))
    return Check(code, FAILS, (Words("check.unequal", found=found, stated=stated),))


def _told(code: str, problems: Iterable[Words]) -> Check:
    told = tuple(problems)
    more = (Words("check.more", count=len(told) - _SHOWN),) if len(told) > _SHOWN else ()
    return Check(code, FAILS if told else HOLDS, (*told[:_SHOWN], *more))


def _extract(custody: Mapping[str, Any]) -> Check:
    """The extract's lines stand in order; neighbours are chained, and the last one is the head that is stated."""
    lines, head = custody["extract"], custody["log_head"]
    hashes: dict[int, str] = {}
    before = -1
    for line in lines:
        seq = line.get("seq")
        if not isinstance(seq, int) or seq <= before:
            return Check("extract", FAILS, (Words("check.extract.order", seq=seq, before=before),))
        before = seq
        hashes[seq] = hashlib.sha256(canonical_json(line)).hexdigest()
        if seq - 1 in hashes and line.get("prev_hash") != hashes[seq - 1]:
            return Check("extract", FAILS, (Words("check.extract.chain", seq=seq, before=seq - 1),))
    if before > head["seq"]:
        return Check("extract", FAILS, (Words("check.extract.head", seq=before, head=head["seq"]),))
    if hashes.get(head["seq"], head["sha256"]) != head["sha256"]:
        return Check("extract", FAILS, (Words("check.extract.changed", seq=head["seq"]),))
    return Check("extract", HOLDS, (Words("check.extract.lines", lines=len(lines), head=head["seq"]),))


def _proof(report: Mapping[str, Any]) -> Check:
    from playe_assets.exporters.report_proof import check_proof

    try:
        found = check_proof(report)
    except IntegrityError as problem:
        return Check("proof", FAILS, (Said(problem),))
    if found is None:
        return not_checked("proof", "check.proof.none")
    size = found.checkpoint.size
    return Check(
        "proof", HOLDS, (Words("check.proof.proved", lines=found.proven, size=size, later=found.beyond),)
    )


def _bytes(code: str, items: Iterable[Mapping[str, Any]], folder: Path | None, progress: Progress) -> Check:
    if folder is None:
        return not_checked(code, f"check.{code}.no_folder")
    listed = list(items)
    found = find_by_digest(folder, {(i["sha256"], i["size"]) for i in listed}, progress)
    absent = [
        Words("check.bytes.absent", number=i["number"], name=i.get("name_shown") or i.get("kind"),
              sha256=i["sha256"], size=i["size"])
        for i in listed if i["sha256"] not in found and i["size"]
    ]  # fmt: skip
    if absent:
        return _told(code, absent)
    return Check(code, HOLDS, (Words("check.bytes.all", count=len(listed)),))
