"""The examination without Dagster: the same `examination/` calls in one plain process.

`python -m benchmarks.plain FOLDER CASE` works in the environment's data root and prints the report's path.
"""

from __future__ import annotations

import sys
from pathlib import Path


def examine(folder: Path, case_id: str) -> Path:
    """Intake to report, judged at each stage as the assets do; returns `report.json`."""
    from playe_assets.core.values import EnhancedManifest
    from playe_assets.custody.log import CustodyLog
    from playe_assets.custody.record import Operator, Recorder
    from playe_assets.examination.cases import CaseFolder
    from playe_assets.examination.conclude import conclude, read_report
    from playe_assets.examination.detect import detect
    from playe_assets.examination.enhance import enhance
    from playe_assets.examination.ingest import ingest
    from playe_assets.examination.judge import Manifests, judge
    from playe_assets.examination.measure import measure
    from playe_assets.examination.settings import load_settings
    from playe_assets.examination.stage import Stage

    settings = load_settings()
    recorder = Recorder(CustodyLog(settings.log_path), request_id="bench", case_id=case_id,
                        operator=Operator("bench", "operator", "os-user"))  # fmt: skip
    stage = Stage(settings, CaseFolder(settings, case_id), recorder)
    verdicts = []

    def judged(asset: str, manifests: Manifests) -> None:
        for group in judge(stage, asset, manifests).values():
            verdicts.extend(group)

    taken = ingest(stage, folder, None, in_place=True)
    judged("ingested_media", Manifests(taken.manifest))
    found = detect(stage, taken.sha256)
    judged("detections", Manifests(taken.manifest, found.manifest))
    made = enhance(stage, taken.sha256, found.sha256)
    judged("enhanced_frames", Manifests(taken.manifest, found.manifest, enhanced=made.manifest))
    enhanced = stage.manifest(EnhancedManifest, made.sha256)
    measured = measure(stage, taken.sha256, made.sha256)
    thresholds = stage.planned(taken.manifest).preset.thresholds
    judged("qa_metrics", Manifests(taken.manifest, enhanced=enhanced, metrics=measured.manifest,
                                   thresholds=thresholds))  # fmt: skip
    done = conclude(stage, taken.sha256, found.sha256, made.sha256, measured.sha256, verdicts)
    judged("forensic_report", Manifests(taken.manifest, report=read_report(done.issued)))
    return done.issued.json_path


if __name__ == "__main__":
    print(examine(Path(sys.argv[1]), sys.argv[2]))
