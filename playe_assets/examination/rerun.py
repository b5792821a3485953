"""The executable report: its own recipe over the original exhibits again, in a scratch laboratory, without Dagster.

Nothing is needed but the report and the originals; what the rerun made is then held against the report's digests
(`rerun_compare.py`). The scratch laboratory has a log of its own, and issues no report.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playe_assets.core.errors import CommandError, IntegrityError, PlayeError, TransientError
from playe_assets.custody.environment import blas_kernel
from playe_assets.custody.log import utc_now
from playe_assets.custody.record import Activity, Operator, Recorder
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.rerun_claims import claims_of
from playe_assets.examination.rerun_compare import Said, Sides, verdicts_of
from playe_assets.examination.rerun_evidence import exhibits_of, find_by_digest, limits_of, take_in
from playe_assets.examination.rerun_findings import findings_now
from playe_assets.examination.rerun_level import compared
from playe_assets.examination.rerun_models import bring_models, engine_here, settings_of_rerun
from playe_assets.examination.rerun_result import Rerun
from playe_assets.examination.settings import Settings
from playe_assets.examination.stage import Stage, Words
from playe_assets.stores.case_store import hash_file

STAGES = ("rerun_exhibits", "ingested_media", "detections", "enhanced_frames", "qa_metrics", "rerun_compare")
"""What a rerun does, in order."""
_PRESET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Places:
    """Where a rerun looks and works."""

    exhibits: Path
    """A folder below which the originals lie, whatever they are called."""
    work: Path
    """Folder of the scratch laboratory; empty or not there yet."""
    derivatives: Path | None = None
    """A folder with the original derivatives, against which differences can be bounded."""
    weights: Path | None = None
    """A folder with weight files; the laboratory's own where it is not given."""


@dataclass(frozen=True)
class Watched:
    """Who is told how far it is: (stage, `start` | `done` | `failed`) and (stage, what, done, total)."""

    stage: Callable[[str, str], None] = lambda _stage, _state: None
    progress: Callable[[str, str | Words, int, int], None] = lambda _stage, _what, _done, _total: None


def rerun(
    report: Mapping[str, Any], report_sha256: str, settings: Settings, places: Places, operator: Operator, *,
    threads: int | None = None, watched: Watched | None = None,
) -> Rerun:  # fmt: skip
    """Examine again what `report` says was examined, and compare.

    `settings` are this laboratory's, of which only languages, weights and engines are used. What keeps the rerun
    from being made stands in the result (`stopped`), with all that is known by then.

    Raises:
        CommandError: `places.work` holds something already.
        TransientError: another try may succeed.
    """
    if places.work.exists() and any(places.work.iterdir()):
        raise CommandError("rerun.work_not_empty", folder=str(places.work))
    findings = report["findings"]
    found = Rerun(
        report_id=str(report["report_id"]),
        report_sha256=report_sha256,
        case_id=str(report["sections"]["administration"]["case"]["id"]),
        examination_then=str(findings["examination_id"]),
        findings_sha256=str(report["findings_sha256"]),
        made_utc=utc_now(),
        work=str(places.work),
    )
    work = _Work(report, settings, places, operator, threads, watched or Watched(), found)
    try:
        work.do()
    except TransientError:
        raise
    except PlayeError as problem:
        found.stopped, found.stopped_at = Said(problem), work.at
        work.watched.stage(work.at, "failed")
    except OSError as problem:
        why = f"{problem.strerror or type(problem).__name__}: {str(problem.filename or '')[:120]}"
        found.stopped, found.stopped_at = Words("rerun.disk", problem=why), work.at
        work.watched.stage(work.at, "failed")
    except (
        TypeError,
        KeyError,
        AttributeError,
        ValueError,
        IndexError,
        OverflowError,
        RecursionError,
    ) as problem:
        # The report is the other side's: what its schema lets through and PLAYE never writes ends here.
        why = f"{type(problem).__name__}: {problem}"[:200]
        found.stopped, found.stopped_at = Words("rerun.never_written", problem=why), work.at
        work.watched.stage(work.at, "failed")
    return found


@dataclass
class _Work:
    report: Mapping[str, Any]
    settings: Settings
    places: Places
    operator: Operator
    threads: int | None
    watched: Watched
    found: Rerun
    at: str = STAGES[0]

    def do(self) -> None:
        """All stages, in order."""
        found, report, findings = self.found, self.report, self.report["findings"]
        self._start("rerun_exhibits")
        scratch = settings_of_rerun(self.settings, self.places.work, report, self.threads)
        recipe = self._recipe(scratch)
        exhibits = exhibits_of(findings)
        stage = self._stage(scratch)
        files = find_by_digest(
            self.places.exhibits, {(e.sha256, e.size) for e in exhibits}, self._progress("rerun_exhibits")
        )
        found.lacking = bring_models(report, self.settings, scratch, self.places.weights,
                                     self._progress("rerun_exhibits"))  # fmt: skip
        self._start("ingested_media")
        limits = limits_of(report["sections"]["custody"]["extract"])
        found.taken = take_in(stage, exhibits, files, recipe, limits)
        if found.lacking:
            raise IntegrityError("rerun.models_lacking", models=", ".join(m.name for m in found.lacking))
        self._examine(stage, scratch)

    def _examine(self, stage: Stage, scratch: Settings) -> None:
        from playe_assets.examination.detect import detect
        from playe_assets.examination.enhance import enhance
        from playe_assets.examination.ingest import ingest
        from playe_assets.examination.measure import measure

        found, findings = self.found, self.report["findings"]
        engine = engine_here(scratch, self.report)
        threads = stage.limit_threads()
        found.environments = compared(self.report, engine, threads, blas_kernel())
        opened = ingest(stage, None, None)
        found.examination_now = opened.manifest.examination_id
        self._start("detections")
        seen = detect(self._within(stage), opened.sha256)
        self._start("enhanced_frames")
        made = enhance(self._within(stage), opened.sha256, seen.sha256)
        self._start("qa_metrics")
        measured = measure(self._within(stage), opened.sha256, made.sha256)
        self._start("rerun_compare")
        sides = Sides(
            findings, made.manifest, measured.manifest, stage.store, self._originals(),
            found.environments.same_class, {a.exhibit: a.sha256 for a in found.taken.absent},
        )  # fmt: skip
        found.verdicts = verdicts_of(sides, self._progress("rerun_compare"))
        now = findings_now(stage, opened.manifest, seen.manifest, made.manifest, measured.manifest)
        found.claims = claims_of(found, self.report, now)
        self.watched.stage(self.at, "done")

    def _start(self, name: str) -> None:
        if name != self.at:
            self.watched.stage(self.at, "done")
        self.at = name
        self.watched.stage(name, "start")

    def _progress(self, name: str) -> Callable[[str | Words, int, int], None]:
        return lambda what, done, total: self.watched.progress(name, what, done, total)

    def _recipe(self, scratch: Settings) -> str:
        """Lay the report's own recipe into the scratch laboratory; its name."""
        stated, preset = (
            self.report["sections"]["administration"]["preset"],
            self.report["findings"]["preset"],
        )
        name, text = str(preset["name"]), str(stated["text"])
        if not _PRESET_NAME.fullmatch(name):
            raise IntegrityError("rerun.recipe_name", name=name)
        if hashlib.sha256(text.encode()).hexdigest() != preset["sha256"]:
            raise IntegrityError("rerun.recipe_changed", name=name, expected=preset["sha256"])
        scratch.presets.mkdir(parents=True, exist_ok=True)
        (scratch.presets / f"{name}.yaml").write_bytes(text.encode())
        return name

    def _stage(self, scratch: Settings) -> Stage:
        recorder = Recorder(
            scratch.log, request_id=f"rerun-{self.found.report_sha256[:16]}", case_id=self.found.case_id,
            operator=self.operator, activity=Activity(), audit="full",
        )  # fmt: skip
        recorder.note(
            "custody.rerun_opened", step=self.found.report_id, input_sha256=[self.found.report_sha256],
            params={"models_without_approval_for_the_rerun_of": scratch.models_without_approval_for_the_rerun_of,
                    "exhibits": str(self.places.exhibits)},
        )  # fmt: skip
        return Stage(
            scratch, CaseFolder(scratch, self.found.case_id), recorder, self._progress("ingested_media")
        )

    def _within(self, stage: Stage) -> Stage:
        return replace(stage, progress=self._progress(self.at))

    def _originals(self) -> Callable[[str], Path | None]:
        """The original derivatives: of the folder that was given, or of this laboratory's own case."""
        wanted = {(d["sha256"], d.get("size")) for d in self.report["findings"]["derivatives"]}
        given: dict[str, Path] = {}
        if self.places.derivatives is not None:
            given = find_by_digest(self.places.derivatives, wanted, self._progress(self.at))
        store = CaseFolder(self.settings, self.found.case_id).store

        def original(sha256: str) -> Path | None:
            if sha256 in given:
                return given[sha256]
            path = store.path(sha256)
            return path if path.is_file() and hash_file(path)[0] == sha256 else None

        return original
