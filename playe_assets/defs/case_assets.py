"""The asset graph of a case: ingested media, detections, enhanced frames, metrics, report.

Each body reads its upstream's manifest by digest, calls one function of `examination/`, judges the result in
the same step (a check of its own would cost a process) and returns. Pixels never pass through Dagster.
"""

import time
import warnings
from typing import Any

import dagster as dg

from playe_assets.core.presets import load_preset, preset_names
from playe_assets.core.values import (
    DetectionManifest,
    EnhancedManifest,
    IngestManifest,
    Verdict,
)
from playe_assets.custody.environment import code_version
from playe_assets.custody.record import Operation
from playe_assets.defs.executors import queue
from playe_assets.defs.partitions import CASES
from playe_assets.defs.presentation import (
    delivered,
    detection_extra,
    detection_rows,
    enhanced_extra,
    enhanced_rows,
    exhibit_rows,
    issued_extra,
    metrics_extra,
    metrics_rows,
)
from playe_assets.defs.resources import Laboratory
from playe_assets.defs.results import materialized, plain_failures
from playe_assets.defs.verdicts import Upstream, require
from playe_assets.examination.judge import Manifests, gates_of, judge, passed
from playe_assets.examination.stage import Stage
from playe_assets.gates import GATES

RETRIES = dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def _asset(
    pool: str,
    kinds: set[str],
    description: str,
    deps: list[str],
    name: str,
    config: dict[str, Any] | None = None,
) -> Any:
    """`dg.asset` with what all five share, and the stage's gates as checks evaluated in its own step."""
    with warnings.catch_warnings():
        # Partitioned check specs are in preview in the version that we pin; the exact-graph test would notice.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        checks = [
            dg.AssetCheckSpec(
                gate,
                asset=name,
                description=GATES.get(gate).description,
                blocking=GATES.get(gate).kind == "integrity",
                partitions_def=CASES,
            )
            for gate in gates_of(name)
        ]
    return dg.asset(
        name=name,
        deps=deps,
        partitions_def=CASES,
        group_name="case",
        kinds=kinds,
        owners=["team:forensics"],
        description=description,
        code_version=code_version(),
        pool=pool,
        op_tags=queue(pool),
        retry_policy=RETRIES,
        config_schema=config,
        check_specs=checks,
    )


def _judged(stage: Stage, asset: str, manifests: Manifests) -> dict[str, list[Verdict]]:
    """Judge, and leave a notice where an integrity gate refuses: what is withheld is never silent."""
    verdicts = judge(stage, asset, manifests)
    if any(not passed(v) and GATES.get(g).kind == "integrity" for g, v in verdicts.items()):
        from playe_assets.examination.conclude import withhold

        withhold(stage, manifests.ingest, [v for group in verdicts.values() for v in group])
    return verdicts


def _upstream(context: dg.AssetExecutionContext, work: Operation, *assets: str) -> list[Upstream]:
    """The manifests of `assets`, their gates passed; the record of the stage names them as its inputs."""
    found = [require(context, name) for name in assets]
    work.inputs += [upstream.manifest for upstream in found]
    return found


def _preset_config() -> dict[str, Any]:
    """The launchpad's choice of preset, with what each one may change."""
    values = [dg.EnumValue("as_case_says", description="The preset of case.yaml, or forensic_safe.")]
    for name in preset_names():
        values.append(dg.EnumValue(name, description=load_preset(name).description["en"]))
    choice = dg.Enum("Preset", values)
    return {"preset": dg.Field(choice, default_value="as_case_says", description="How much may be changed.")}


@_asset(
    "io",
    {"python"},
    "Exhibits taken in: hashed, read twice, described; the rest quarantined with a reason.",
    [],
    "ingested_media",
    config=_preset_config(),
)
@plain_failures
def ingested_media(context: dg.AssetExecutionContext, laboratory: Laboratory) -> dg.MaterializeResult:
    """Take the delivery in and open the examination."""
    from playe_assets.examination.ingest import ingest

    started = time.monotonic()
    with laboratory.stage(context) as (stage, work):
        folder, how, preset = delivered(context.run.tags)
        chosen = context.op_execution_context.op_config["preset"]
        done = ingest(stage, folder, preset if chosen == "as_case_says" else chosen, **how)
        verdicts = _judged(stage, "ingested_media", Manifests(done.manifest))
        return materialized(
            stage,
            work,
            manifest=done.sha256,
            verdicts=verdicts,
            started=started,
            rows=exhibit_rows(done.manifest),
            extra={"new_exhibits": done.new_exhibits},
        )


@_asset(
    "cpu",
    {"python", "opencv"},
    "Faces, people and motion, as the preset names them. Changes no pixel.",
    ["ingested_media"],
    "detections",
)
@plain_failures
def detections(context: dg.AssetExecutionContext, laboratory: Laboratory) -> dg.MaterializeResult:
    """Look through every exhibit."""
    from playe_assets.examination.detect import detect

    started = time.monotonic()
    with laboratory.stage(context) as (stage, work):
        (taken,) = _upstream(context, work, "ingested_media")
        done = detect(stage, taken.manifest)
        ingest = stage.manifest(IngestManifest, taken.manifest)
        verdicts = _judged(stage, "detections", Manifests(ingest, done.manifest))
        return materialized(
            stage, work, manifest=done.sha256, verdicts=verdicts, started=started, rows=detection_rows(done.manifest),
            extra=detection_extra(stage, done.manifest),
        )  # fmt: skip


@_asset(
    "gpu",
    {"python", "opencv"},
    "Derivatives: each step of the preset, recorded with every parameter.",
    ["ingested_media", "detections"],
    "enhanced_frames",
)
@plain_failures
def enhanced_frames(context: dg.AssetExecutionContext, laboratory: Laboratory) -> dg.MaterializeResult:
    """Apply the preset."""
    from playe_assets.examination.enhance import enhance

    started = time.monotonic()
    with laboratory.stage(context) as (stage, work):
        taken, found = _upstream(context, work, "ingested_media", "detections")
        done = enhance(stage, taken.manifest, found.manifest)
        ingest = stage.manifest(IngestManifest, taken.manifest)
        seen = stage.manifest(DetectionManifest, found.manifest)
        verdicts = _judged(stage, "enhanced_frames", Manifests(ingest, seen, enhanced=done.manifest))
        return materialized(
            stage,
            work,
            manifest=done.sha256,
            verdicts=verdicts,
            started=started,
            rows=enhanced_rows(done.manifest),
            extra=enhanced_extra(stage, done.manifest),
        )


@_asset(
    "cpu",
    {"python", "pandas"},
    "Quality of every derivative, measured and held against the preset's thresholds.",
    ["ingested_media", "enhanced_frames"],
    "qa_metrics",
)
@plain_failures
def qa_metrics(context: dg.AssetExecutionContext, laboratory: Laboratory) -> dg.MaterializeResult:
    """Measure and judge."""
    from playe_assets.examination.measure import measure

    started = time.monotonic()
    with laboratory.stage(context) as (stage, work):
        taken, made = _upstream(context, work, "ingested_media", "enhanced_frames")
        done = measure(stage, taken.manifest, made.manifest)
        ingest = stage.manifest(IngestManifest, taken.manifest)
        enhanced = stage.manifest(EnhancedManifest, made.manifest)
        found = stage.manifest(DetectionManifest, enhanced.detections)
        thresholds = stage.planned(ingest).preset.thresholds
        verdicts = _judged(
            stage, "qa_metrics", Manifests(ingest, found, enhanced, done.manifest, thresholds=thresholds)
        )
        return materialized(
            stage,
            work,
            manifest=done.sha256,
            verdicts=verdicts,
            started=started,
            rows=metrics_rows(done.manifest),
            extra=metrics_extra(stage, done.manifest),
        )


@_asset(
    "io",
    {"python", "pdf"},
    "The report: JSON is the truth, PDF its face; or a notice why it is withheld.",
    ["ingested_media", "detections", "enhanced_frames", "qa_metrics"],
    "forensic_report",
)
@plain_failures
def forensic_report(context: dg.AssetExecutionContext, laboratory: Laboratory) -> dg.MaterializeResult:
    """Issue the report, once every gate upstream has let its materialization through."""
    from playe_assets.examination.conclude import conclude, read_report

    started = time.monotonic()
    with laboratory.stage(context) as (stage, work):
        upstream = _upstream(context, work, "ingested_media", "detections", "enhanced_frames", "qa_metrics")
        given = [Verdict(**v) for u in upstream for v in stage.store.get_json(u.verdicts)]
        taken, found, made, measured = (u.manifest for u in upstream)
        done = conclude(stage, taken, found, made, measured, given)
        ingest = stage.manifest(IngestManifest, upstream[0].manifest)
        verdicts = _judged(stage, "forensic_report", Manifests(ingest, report=read_report(done.issued)))
        return materialized(
            stage,
            work,
            manifest=done.sha256,
            verdicts=verdicts,
            started=started,
            extra=issued_extra(done.issued),
        )


CASE_ASSETS = [ingested_media, detections, enhanced_frames, qa_metrics, forensic_report]
