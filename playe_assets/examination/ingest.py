"""The first stage: take the delivery into the case's store, fix the examination's five inputs, write the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import digest, to_plain
from playe_assets.core.errors import CommandError
from playe_assets.core.values import Exhibit, IngestManifest, Refusal
from playe_assets.custody.environment import code_version, examination_runtime
from playe_assets.custody.log import utc_now
from playe_assets.examination.case_file import DEFAULT_PRESET, CaseFile, read_case_file
from playe_assets.examination.cases import Case, DeliveryNote, DeliveryRecord
from playe_assets.examination.inbox import keep, look, place_for
from playe_assets.examination.intake import take_delivery
from playe_assets.examination.marks_on import checked_marks, with_marks
from playe_assets.examination.plan import Plan, plan
from playe_assets.examination.signing import check_signer
from playe_assets.examination.stage import Stage, Words
from playe_assets.media.limits import Limits


@dataclass(frozen=True)
class Ingested:
    """The manifest, its digest, and what this run added."""

    manifest: IngestManifest
    sha256: str
    new_exhibits: int


def ingest(
    stage: Stage,
    delivered: Path | None,
    preset: str | None,
    *,
    in_place: bool = False,
    fingerprint: str | None = None,
    limits: Limits | None = None,
) -> Ingested:
    """Take `delivered` (if it still lies in the inbox) and open the examination.

    With `in_place` the folder is the operator's own and stays where it is. With `fingerprint` the folder must
    still be what the sensor judged.

    Without a delivery the case's exhibits are examined again, which gives the same manifest.

    Raises:
        PresetError, MissingResourceError: the preset cannot be used; nothing was taken.
        CommandError: there is neither a delivery nor an earlier one; or the signing key cannot sign.
    """
    check_signer(stage.settings)  # a report that should be signed must not fail for it after hours of work
    folder, case_file = stage.folder, None
    earlier = folder.read() if folder.exists() else None
    if delivered is not None and delivered.is_dir():
        if fingerprint is not None and look(delivered, stage.settings, 0.0).fingerprint != fingerprint:
            raise CommandError("case.delivery_changed", case=stage.case_id)
        case_file = read_case_file(delivered, stage.case_id)
    elif delivered is not None:
        taken = {n.request_id for n in earlier.deliveries} if earlier else set()
        if stage.recorder.request_id not in taken:
            raise CommandError("case.delivery_gone", case=stage.case_id)
    if case_file is None and earlier is None:
        raise CommandError("case.nothing_delivered", case=stage.case_id, folder=str(delivered))
    chosen = preset or (case_file.preset if case_file else None) or (earlier.preset if earlier else None)
    made = plan(chosen or DEFAULT_PRESET, stage.settings)

    added = 0
    with folder.locked():
        case = _opened(stage, case_file, made)
        if case_file is not None and delivered is not None:
            case, added = _take(stage, case, case_file, delivered, in_place, limits or Limits())
        # The record first, the move after: a crash between them leaves the folder in the inbox, and taking
        # it once more adds nothing, because every file is already there.
        folder.write(case)
        if case_file is not None and delivered is not None and not in_place:
            keep(delivered, stage.settings.data_root / case.deliveries[-1].kept_in)
    exhibits, refused, records = _all(stage, case)
    inputs = {
        "exhibits": [
            [e.number, e.sha256, e.status.value, e.reference, *([to_plain(e.marks)] if e.marks else [])]
            for e in exhibits
        ],
        "preset": to_plain(made.preset.ref),
        "weights": dict(made.weights),
        "code_version": code_version(),
        "runtime": {**examination_runtime(), "engine": made.engine(stage.settings)},
    }
    manifest = IngestManifest(
        case_id=stage.case_id,
        examination_id=f"X-{digest(inputs)[:32]}",
        preset=made.preset.ref,
        exhibits=exhibits,
        refused=refused,
        deliveries=records,
        inputs=inputs,
    )
    sha256 = stage.store.put_json(manifest)
    stage.recorder.examination_id = manifest.examination_id
    stage.recorder.note(
        "processing.examination_opened",
        step="examination",
        input_sha256=[e.sha256 for e in exhibits],
        output_sha256=[sha256],
        params={"preset": to_plain(made.preset.ref)},
    )
    return Ingested(manifest, sha256, added)


def _opened(stage: Stage, given: CaseFile | None, made: Plan) -> Case:
    operator = stage.recorder.operator.id
    if stage.folder.exists():
        # A later delivery adds exhibits; what the first one said of the case stands.
        return replace(stage.folder.read(), preset=made.preset.name)
    given = given or CaseFile(stage.case_id)
    stage.recorder.note("custody.case_opened", step="case", params={"preset": made.preset.name})
    return Case(
        case_id=stage.case_id,
        title=given.title,
        operator=given.operator or operator,
        customer=given.customer,
        request=given.request,
        received_from=given.received_from,
        preset=made.preset.name,
        language=given.language or stage.settings.language,
        created_utc=utc_now(),
    )


def _take(
    stage: Stage, case: Case, given: CaseFile, delivered: Path, in_place: bool, limits: Limits
) -> tuple[Case, int]:
    known = [exhibit for record in stage.folder.records(case) for exhibit in record.exhibits]
    number = len(case.deliveries) + 1
    seen = look(delivered, stage.settings, 0.0)

    def on_exhibit(exhibit: Exhibit, _facts: Mapping[str, Any]) -> None:
        said = Words(
            "clips.taken", exhibit=exhibit.number, status=Words(f"report.word.status.{exhibit.status.value}")
        )
        stage.progress(said, len(taken), seen.files)
        taken.append(exhibit)

    taken: list[Exhibit] = []
    record = None
    with stage.recorder.record("custody.received", step=f"delivery {number}", params={
        "files": seen.files, "bytes": seen.total_bytes, "fingerprint": seen.fingerprint}) as work:  # fmt: skip
        found = take_delivery(
            stage.store,
            delivered,
            delivery=number,
            known=known,
            references=given.references,
            limits=limits,
            marked=given.marks,
            on_exhibit=on_exhibit,
            recorder=stage.recorder,
        )
        refused_before = {
            (r.name_hex, r.reason.code) for old in stage.folder.records(case) for r in old.refused
        }
        refused: tuple[Refusal, ...] = tuple(
            r for r in found.refused if (r.name_hex, r.reason.code) not in refused_before
        )
        marked = checked_marks(given.marks, (*known, *found.exhibits))
        if found.exhibits or refused or marked:
            record = stage.store.put_json(DeliveryRecord(number, found.exhibits, refused, marked))
            work.outputs.append(record)
        work.metrics.update(exhibits=len(found.exhibits), refused=len(refused))
    goal = place_for(delivered, stage.settings, stage.case_id, number)
    note = DeliveryNote(
        number=number,
        folder=delivered.name,
        fingerprint=seen.fingerprint,
        received_utc=utc_now(),
        request_id=stage.recorder.request_id,
        record=record,
        kept_in=str(delivered) if in_place else str(goal.relative_to(stage.settings.data_root)),
    )
    return replace(case, deliveries=(*case.deliveries, note)), len(found.exhibits)


def _all(stage: Stage, case: Case) -> tuple[tuple[Exhibit, ...], tuple[Refusal, ...], tuple[str, ...]]:
    records = stage.folder.records(case)
    exhibits = with_marks([e for record in records for e in record.exhibits], records)
    refused = tuple(item for record in records for item in record.refused)
    return exhibits, refused, tuple(n.record for n in case.deliveries if n.record is not None)
