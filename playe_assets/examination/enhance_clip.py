"""The preset's clip steps over one clip, segment by segment: what is finished stays, what is missing is made.

Memory is flat in the clip's length: frames pass one by one through generators, and of each frame a few dozen
bytes are kept. A run that was killed goes on after its last finished segment (`clips/parts.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import pairwise
from typing import Any

from playe_assets.core.canonical import digest, to_plain
from playe_assets.core.contracts import Enhancer
from playe_assets.core.errors import UndecodableError
from playe_assets.core.values import Exhibit, ExhibitDetections, MediaKind, Reason, Step, StreamFacts
from playe_assets.custody.environment import code_version, examination_runtime
from playe_assets.custody.record import Operation
from playe_assets.examination.clips.assemble import Assembled, Collected, assemble, collected
from playe_assets.examination.clips.clip import ClipJob, work_run
from playe_assets.examination.clips.pace import Pace
from playe_assets.examination.clips.parts import SCHEMA, Part, parts_in
from playe_assets.examination.clips.segments import Segment, runs_of, segments_of
from playe_assets.examination.clips.summary import class_of, summarised
from playe_assets.examination.clips.table import Numbers
from playe_assets.examination.detect import facts_of
from playe_assets.examination.enhance import Made, highest, record_models, recorded_step, worker_of
from playe_assets.examination.enhance_tracks import fuse_tracks
from playe_assets.examination.plan import Plan
from playe_assets.examination.stage import Stage, Words
from playe_assets.media.pixel_digest import frames_sha256
from playe_assets.media.survey import read_survey


def enhance_clip(stage: Stage, made: Plan, exhibit: Exhibit, detections: str | None) -> Made:
    """Apply the steps to every frame; no frame is added, dropped or re-timed.

    `detections` is the digest of what was found in the exhibit, None where detection failed.

    Raises:
        UndecodableError: not a single frame could be decoded, or the clip's clock goes back.
        IntegrityError: a step did not hand on every frame once, in order, or a part is missing at the end.
    """
    parts = parts_in(stage.folder.root)
    job, segments, keys = job_of(stage, made, exhibit, detections)
    _refuse_going_back(stage, job, exhibit)
    missing = [s for s in segments if parts.find(keys[s.number]) is None]
    _note_reused(stage, exhibit, segments, missing)
    total = job.facts.frame_count
    reused = total - sum(s.frames for s in missing)
    pace = Pace(stage, Words("clips.frames_reused" if reused > 0 else "clips.frames", exhibit=exhibit.number,
                             reused=reused), total, reused)  # fmt: skip
    opened = _opener(stage, made, exhibit, len(segments))
    for run in runs_of(missing):
        workers = [worker_of(stage, made, p, job.facts) for p in made.steps[MediaKind.CLIP]]
        work_run(job, run, workers, parts, keys, opened=opened, finished=_finisher(made, exhibit),
                 advance=pace.advance)  # fmt: skip
    pace.finish()
    whole = collected(parts, segments, keys, job.shown)
    if not len(whole.table):
        raise UndecodableError("media.no_frames", file=exhibit.name_shown)
    steps = _steps(made, whole.table.numbers)
    pace = Pace(stage, Words("clips.viewing_copy", exhibit=exhibit.number), len(whole.table))
    folder = parts.scratch(f"assembly-{exhibit.number}")
    done = assemble(stage, job, exhibit, whole, folder, highest(steps), pace.advance)
    pace.finish()
    tracks = fuse_tracks(stage, made, exhibit, job.found)
    return Made(
        steps=steps,
        derivatives=[*done.derivatives, *tracks.derivatives],
        pictures=whole.pictures,
        picture_frame=whole.shown,
        frames_in=total,
        frames_decoded=len(whole.table),
        frames_corrupt=sum(whole.table.corrupt),
        frames_out=len(whole.table),
        missing=(*exhibit.missing, *_missing(whole, job.facts)),
        deviations=(*_conversion(whole), *stood_alone(steps), *_deviations(done), *tracks.notes),
        segments=len(segments),
        tracks=tracks,
    )


def _refuse_going_back(stage: Stage, job: ClipJob, exhibit: Exhibit) -> None:
    """No container plays a frame before the one that it follows, so such a clip would be re-timed: told before any
    work, so that this exhibit fails and not the whole report."""
    if job.found is None or job.found.survey is None:
        return
    pts = read_survey(stage.store.get_bytes(job.found.survey))[0].pts
    back = next((n for n, (before, now) in enumerate(pairwise(pts), 1) if now < before), None)
    if back is not None:
        raise UndecodableError("clips.time_goes_back", file=exhibit.name_shown, frame=back, frames=len(pts),
                               seconds=f"{float((pts[back - 1] - pts[back]) * job.base):g}")  # fmt: skip


def job_of(
    stage: Stage, made: Plan, exhibit: Exhibit, detections: str | None
) -> tuple[ClipJob, tuple[Segment, ...], dict[int, str]]:
    """The work on one clip: what decides its frames, its segments, and the name of each one's part."""
    facts = facts_of(exhibit)
    planned = made.steps[MediaKind.CLIP]
    shown = facts.frame_count // 2
    key = {
        "schema": SCHEMA,
        "exhibit": exhibit.sha256,
        "facts": to_plain(facts),
        "detections": detections,
        "steps": [
            {"use": p.cls.name, "version": p.cls.version, "params": p.plain,
             "models": [{"variant": to_plain(m.use), "weights": m.weights, **m.facts}
                        for m in made.prepared(p.needs)]}
            for p in planned
        ],
        "engine": made.engine(stage.settings),
        "code_version": code_version(),
        "runtime": examination_runtime(),
        "output": to_plain(made.preset.output),
        "shown": shown,
    }  # fmt: skip
    job = ClipJob(
        exhibit=exhibit.number,
        path=stage.store.path(exhibit.sha256),
        facts=facts,
        base=Fraction(facts.time_base or "1/1000"),
        output=made.preset.output,
        found=stage.manifest(ExhibitDetections, detections) if detections else None,
        reaches=tuple(p.cls.reach(p.params) for p in planned),
        shown=shown,
    )
    segments = segments_of(facts.frame_count, facts.width, facts.height, made.preset.video.segments)
    decided = digest(key)
    keys = {
        s.number: digest({"clip": decided, "first": s.first_frame, "last": None if s.last else s.last_frame})
        for s in segments
    }
    return job, segments, keys


def _note_reused(
    stage: Stage, exhibit: Exhibit, segments: Sequence[Segment], missing: Sequence[Segment]
) -> None:
    """One line for what an earlier run of this examination had finished."""
    absent = {s.number for s in missing}
    reused = [s for s in segments if s.number not in absent]
    if reused:
        spans = [f"{run[0].number}-{run[-1].number}" for run in runs_of(reused)]
        stage.recorder.note("processing.segments_reused", exhibit=exhibit.number, step="segments",
                            params={"segments": spans, "of": len(segments)},
                            metrics={"segments_reused": len(reused),
                                     "frames_reused": sum(s.frames for s in reused)})  # fmt: skip


def _opener(stage: Stage, made: Plan, exhibit: Exhibit, count: int) -> Callable[[Segment], Any]:
    """The pairs of log lines around a segment. The steps work on the stream at the same time, a few frames apart,
    so their pairs span the same minutes: from the segment before to the segment's last frame."""

    @contextmanager
    def opened(segment: Segment) -> Iterator[list[Operation]]:
        with ExitStack() as records:
            yield [
                records.enter_context(
                    recorded_step(stage, made, exhibit, number, planned, [exhibit.sha256] if number == 1 else [],
                                  segment={"number": segment.number, "of": count})
                )
                for number, planned in enumerate(made.steps[MediaKind.CLIP], 1)
            ]  # fmt: skip

    return opened


def _finisher(made: Plan, exhibit: Exhibit) -> Callable[..., None]:
    """Fills a segment's operations: the chain of digests runs over the samples that left each step."""

    def finished(
        segment: Segment, part: Part, operations: Sequence[Operation], workers: Sequence[Enhancer]
    ) -> None:
        numbers = Numbers()
        numbers.extend(part.numbers, len(part.pts))
        taken = exhibit.sha256
        for op, step, frames, worker in zip(
            operations, _steps(made, numbers), part.steps, workers, strict=True
        ):
            op.inputs[:] = [taken]
            taken = frames_sha256(frames)
            op.outputs.append(taken)
            op.metrics.update(segment_frames=len(frames), **step.measured)
            record_models(op, worker, step)

    return finished


def _steps(made: Plan, numbers: Numbers) -> tuple[Step, ...]:
    """The steps as the manifest states them, out of the numbers of all frames; whoever worked them."""
    return tuple(
        Step(
            number,
            p.cls.name,
            p.cls.version,
            p.plain,
            class_of(p.ai_class, number, numbers),
            p.cls.reference,
            summarised(p.cls, number, numbers),
            {k: v for m in made.prepared(p.needs) for k, v in sorted(m.weights.items())},
        )
        for number, p in enumerate(made.steps[MediaKind.CLIP], 1)
    )


def _missing(whole: Collected, facts: StreamFacts) -> tuple[Reason, ...]:
    found = []
    decoded, corrupt = len(whole.table), sum(whole.table.corrupt)
    if decoded < facts.frame_count:
        found.append(Reason("frames_not_decoded", {"decoded": decoded, "promised": facts.frame_count}))
    if corrupt:
        found.append(Reason("frames_corrupt", {"corrupt": corrupt}))
    if whole.other_size:
        found.append(Reason("frames_other_size", {"count": whole.other_size}))
    if whole.other_form:
        found.append(Reason("frames_other_form", {"count": whole.other_form}))
    if facts.has_alpha:
        found.append(Reason("alpha_left", {"pixel_format": facts.pixel_format}))
    return tuple(found)


def _conversion(whole: Collected) -> tuple[Reason, ...]:
    """How samples became RGB, where the stream did not state it or lines belong to two fields."""
    how = whole.conversion
    if how is None:
        return ()
    found = []
    if how["matrix_assumed"] or how["range_assumed"]:
        span = "full" if how["full_range"] else "limited"
        found.append(Reason("colour_assumed", {"matrix": how["matrix"], "range": span}))
    if how["interlaced"]:
        found.append(Reason("colour_by_field", {}))
    return tuple(found)


def stood_alone(steps: Sequence[Step]) -> tuple[Reason, ...]:
    """The steps over time that averaged not one frame of the clip with a neighbour."""
    return tuple(
        Reason("frames_stood_alone", {"step": s.use, "number": s.number, "frames": int(s.measured["frames"])})
        for s in steps
        if s.measured.get("frames", 0.0) > 1.0
        and s.measured.get("frames_without_neighbours") == s.measured["frames"]
    )


def _deviations(done: Assembled) -> tuple[Reason, ...]:
    return tuple(
        Reason(r.code, {**r.facts, "derivative": kind})
        for kind in ("master", "proxy")
        for r in done.reports[kind].deviations()
    )
