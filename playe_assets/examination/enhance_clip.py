"""The preset's clip steps over one clip, streamed: master, viewing proxy, map of contributors, time ledger.

Memory is flat in the clip's length: frames pass one by one through generators, and encoders write as they go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from playe_assets.core.contracts import Enhancer, Frame, Pixels
from playe_assets.core.errors import UndecodableError
from playe_assets.core.values import AiClass, Derivative, Exhibit, MediaKind, Reason, StreamFacts
from playe_assets.examination.detect import facts_of
from playe_assets.examination.enhance import (
    Made,
    highest,
    record_models,
    recorded_step,
    step_of,
    worker_of,
)
from playe_assets.examination.enhance_photo import upright
from playe_assets.examination.plan import Plan
from playe_assets.examination.stage import Stage
from playe_assets.exporters.pictures import make_pictures
from playe_assets.media.clip import ClipReader, read_clip
from playe_assets.media.clip_write import ClipWriter, ProxyWriter
from playe_assets.media.ledger import write_ledger
from playe_assets.media.pixel_digest import PixelDigest

_PROGRESS_FRAMES = 50


@dataclass
class _Shown:
    """The frame that the report shows: the middle one by the container's count, the first if that never came."""

    index: int
    before: Pixels | None = None
    after: Pixels | None = None
    contributors: Pixels | None = None
    frame: int = 0


@dataclass
class _Outputs:
    """The writers of one clip and the files they write."""

    folder: Path
    base: Fraction
    made: Plan
    facts: StreamFacts
    stack: ExitStack
    open: dict[str, Any] = field(default_factory=dict)

    def writer(self, kind: str, make: Callable[..., Any], suffix: str, facts: StreamFacts | None) -> Any:
        """The writer of `kind`, opened when its first frame comes."""
        if kind not in self.open:
            path = self.folder / f"{kind}{suffix}"
            self.open[kind] = self.stack.enter_context(make(path, self.base, self.made.preset.output, facts))
        return self.open[kind]


def enhance_clip(stage: Stage, made: Plan, exhibit: Exhibit) -> Made:
    """Apply the steps to every frame; no frame is added, dropped or re-timed.

    Raises:
        UndecodableError: not a single frame could be decoded.
    """
    facts = facts_of(exhibit)
    planned = made.steps[MediaKind.CLIP]
    workers = [worker_of(stage, made, p, facts) for p in planned]
    shown = _Shown(facts.frame_count // 2)
    reader = read_clip(stage.store.path(exhibit.sha256), facts)
    base = Fraction(facts.time_base or "1/1000")
    with stage.store.scratch() as folder, ExitStack() as records:
        # The steps work on the stream at the same time, so their pairs of lines span the same minutes.
        ops = [
            records.enter_context(recorded_step(stage, exhibit, i, p, [exhibit.sha256] if i == 1 else []))
            for i, p in enumerate(planned, 1)
        ]
        out_frames = 0
        with ExitStack() as stack:
            outputs = _Outputs(folder, base, made, facts, stack)
            digests = [PixelDigest() for _ in workers]
            for frame in _chain(_source(reader, shown, facts), workers, digests):
                _write(outputs, frame)
                if frame.index in (0, shown.index):
                    shown.after, shown.frame = frame.pixels, frame.index
                    shown.contributors = frame.side.get("contributors")
                out_frames += 1
                if out_frames % _PROGRESS_FRAMES == 0:
                    stage.progress(f"{exhibit.number} frames", out_frames, facts.frame_count)
        if out_frames == 0:
            raise UndecodableError("media.no_frames", file=exhibit.name_shown)
        steps = tuple(
            step_of(i, made, p, w) for i, (p, w) in enumerate(zip(planned, workers, strict=True), 1)
        )
        derivatives = _adopt(stage, exhibit, outputs, highest(steps))
        taken = exhibit.sha256
        for op, step, digest, worker in zip(ops, steps, digests, workers, strict=True):
            # As with photographs, the chain of digests runs over samples: all frames that left the step.
            op.inputs[:] = [taken]
            taken = digest.hexdigest()
            op.outputs.append(taken)
            op.metrics.update(step.measured)
            record_models(op, worker, step)
    pictures: dict[str, bytes] = {}
    if shown.before is not None and shown.after is not None:
        pictures = make_pictures(shown.before, shown.after, shown.contributors)
    report = reader.report
    return Made(
        steps=steps,
        derivatives=derivatives,
        pictures=pictures,
        picture_frame=shown.frame,
        frames_in=facts.frame_count,
        frames_decoded=report.frames_decoded,
        frames_corrupt=report.frames_corrupt,
        frames_out=out_frames,
        missing=(*exhibit.missing, *_missing(reader, facts)),
        deviations=(*_conversion(reader), *_deviations(outputs, facts)),
    )


def _source(reader: ClipReader, shown: _Shown, facts: StreamFacts) -> Iterator[Frame]:
    for frame in reader:
        if frame.index in (0, shown.index):
            shown.before = upright(frame.pixels, facts)
        yield frame


def _chain(frames: Iterator[Frame], workers: list[Enhancer], digests: list[PixelDigest]) -> Iterator[Frame]:
    for worker, digest in zip(workers, digests, strict=True):
        frames = _digested(worker.stream(frames), digest)
    return frames


def _digested(frames: Iterator[Frame], digest: PixelDigest) -> Iterator[Frame]:
    for frame in frames:
        digest.update(frame.pixels)
        yield frame


def _write(outputs: _Outputs, frame: Frame) -> None:
    outputs.writer("master", ClipWriter, ".mkv", outputs.facts).add(frame)
    outputs.writer("proxy", ProxyWriter, ".mp4", outputs.facts).add(frame)
    counts = frame.side.get("contributors")
    if counts is not None:
        outputs.writer("contributors", ClipWriter, ".mkv", None).add_pixels(counts, frame.pts)


def _adopt(stage: Stage, exhibit: Exhibit, outputs: _Outputs, ai_class: AiClass) -> list[Derivative]:
    found: list[Derivative] = []
    types = {"master": "video/x-matroska", "proxy": "video/mp4", "contributors": "video/x-matroska"}
    for kind, writer in outputs.open.items():
        sha256, size = stage.store.adopt(writer.path)
        parents = (exhibit.sha256,) if kind != "proxy" else (exhibit.sha256, found[0].sha256)
        found.append(
            Derivative(
                number="",
                exhibit=exhibit.number,
                kind=kind,
                sha256=sha256,
                size=size,
                media_type=types[kind],
                was_derived_from=parents,
                ai_class=ai_class,
                pixel_sha256=writer.report.pixel_sha256,
                width=writer.report.width,
                height=writer.report.height,
                frame_count=len(writer.report.rows),
                suffix=writer.path.suffix,
                encoder=writer.report.encoder,
            )
        )
    ledger = write_ledger(outputs.open["master"].report.rows, outputs.base)
    found.append(
        Derivative("", exhibit.number, "ledger", stage.store.put_bytes(ledger), len(ledger), "text/csv",
                   (exhibit.sha256, found[0].sha256), AiClass.NONE, suffix=".csv",
                   frame_count=found[0].frame_count)
    )  # fmt: skip
    return found


def _missing(reader: ClipReader, facts: StreamFacts) -> tuple[Reason, ...]:
    report = reader.report
    found = []
    if report.frames_decoded < facts.frame_count:
        found.append(Reason("frames_not_decoded", {"decoded": report.frames_decoded,
                                                   "promised": facts.frame_count}))  # fmt: skip
    if report.frames_corrupt:
        found.append(Reason("frames_corrupt", {"corrupt": report.frames_corrupt}))
    if report.other_size:
        found.append(Reason("frames_other_size", {"count": report.other_size}))
    return tuple(found)


def _conversion(reader: ClipReader) -> tuple[Reason, ...]:
    """How samples became RGB, where the stream did not state it and we had to assume."""
    found = reader.report.conversion
    if found is None or not (found.matrix_assumed or found.range_assumed):
        return ()
    return (
        Reason(
            "colour_assumed", {"matrix": found.matrix, "range": "full" if found.full_range else "limited"}
        ),
    )


def _deviations(outputs: _Outputs, facts: StreamFacts) -> tuple[Reason, ...]:
    found = []
    if facts.audio_streams:
        found.append(Reason("audio_not_carried", {"streams": facts.audio_streams}))
    for kind in ("master", "proxy"):
        found += [
            Reason(r.code, {**r.facts, "derivative": kind}) for r in outputs.open[kind].report.deviations()
        ]
    if facts.bit_depth > 8:
        found.append(Reason("proxy_8_bit", {"bits": facts.bit_depth}))
    return tuple(found)
