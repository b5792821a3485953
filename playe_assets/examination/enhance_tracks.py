"""Tracks and marks of a clip made visible: pictures of their best frames, and one picture fused from many.

Which tracks: those with a label of `video.fusion.labels`, by their best frame's quality, as many as `at_most`;
every mark of the operator besides. What could not be fused is a reason in the result, never silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from playe_assets.core.canonical import canonical_json, to_plain
from playe_assets.core.contracts import Frame, Pixels
from playe_assets.core.contracts_tracks import Crop, Fused
from playe_assets.core.tracks import FusedTrack, Track, mark_of
from playe_assets.core.values import (
    AiClass,
    Derivative,
    Exhibit,
    ExhibitDetections,
    PictureRef,
    Reason,
)
from playe_assets.custody.record import Operation
from playe_assets.enhancers import ENHANCERS
from playe_assets.examination.detect import facts_of
from playe_assets.examination.plan import Plan, PlannedFuser
from playe_assets.examination.regions import followed_of
from playe_assets.examination.seen import SeenIn
from playe_assets.examination.stage import Stage, exhibit_faults, reason_of
from playe_assets.examination.track_crops import WantedMark, WantedTrack, boxes_of, collect
from playe_assets.exporters.pictures import track_picture
from playe_assets.media.clip import read_clip
from playe_assets.media.pixel_digest import pixel_sha256
from playe_assets.media.png import png_encoder, write_png

TRACKS_SHOWN = 12
"""Tracks a clip with pictures of their best frames: the labels that the preset fuses first, then by quality."""


@dataclass
class TracksMade:
    """What the tracks of one clip gave. Derivatives have no numbers yet: `fused` names them by their sha256."""

    derivatives: list[Derivative] = field(default_factory=list)
    pictures: list[PictureRef] = field(default_factory=list)
    fused: tuple[FusedTrack, ...] = ()
    notes: tuple[Reason, ...] = ()
    """What was not fused or not shown, and why."""


def numbered_fused(fused: Sequence[FusedTrack], derivatives: Sequence[Derivative]) -> tuple[FusedTrack, ...]:
    """`fused` with the numbers that `derivatives` got instead of their sha256."""
    return tuple(_numbered(f, derivatives) for f in fused)


def _numbered(fused: FusedTrack, derivatives: Sequence[Derivative]) -> FusedTrack:
    names = {(d.kind, d.sha256): d.number for d in derivatives}
    return replace(fused, derivative=names["track_fusion", fused.derivative],
                   uncertainty=names["track_uncertainty", fused.uncertainty])  # fmt: skip


def fuse_tracks(stage: Stage, made: Plan, exhibit: Exhibit, found: ExhibitDetections | None) -> TracksMade:
    """Pictures and fused pictures of the tracks and marks of a clip; nothing is decoded where there are none."""
    tracks = found.tracks if found is not None else ()
    if not tracks and not followed_of(exhibit):
        return TracksMade()
    result, notes = TracksMade(), []
    shown, left = _shown(tracks, made)
    if left:
        notes.append(Reason("fusion_pictures_left", {"shown": len(tracks) - left, "count": left}))
    seen = SeenIn(found) if found is not None else None
    wanted, marks = _wanted(found, seen, exhibit, made, notes)
    rows = {f: [(n, r) for n, r, g in shown if g == f] for f in {g for _, _, g in shown}}
    margin = float(made.fuser.params.crop_margin) if made.fuser else 0.0
    frames = _frames(stage, exhibit)
    pictures = collect(frames, seen, wanted, marks, rows, margin)
    for number, rank, frame in shown:
        if (number, rank) in pictures:
            data = track_picture(pictures[number, rank], f"best_{rank}")
            ref = PictureRef(exhibit.number, f"best_{rank}", stage.store.put_bytes(data), frame, number)
            result.pictures.append(ref)
    fused: list[FusedTrack] = []
    if made.fuser is not None:
        for track in wanted:
            work = _Work(track.track.number, track.track.label, track.crops)
            _do(stage, made, made.fuser, exhibit, work, result, fused, notes)
        for number, mark in enumerate(marks, 1):
            if mark.frame is None:
                notes.append(Reason("fusion_mark_not_met", {"mark": number, "label": mark.mark.label}))
                continue
            work = _Work(1 - number, mark.mark.label, mark.crops, str(mark.last))
            _do(stage, made, made.fuser, exhibit, work, result, fused, notes)
    result.fused, result.notes = tuple(fused), tuple(notes)
    return result


@dataclass(frozen=True)
class _Work:
    """Crops of one track, or of a mark (track 0, -1 ...) that was seen up to the frame `end`."""

    track: int
    label: str
    crops: Sequence[Crop]
    end: str = ""


def _do(
    stage: Stage, made: Plan, planned: PlannedFuser, exhibit: Exhibit, work: _Work,
    result: TracksMade, fused: list[FusedTrack], notes: list[Reason],
) -> None:  # fmt: skip
    """Fuse one; what cannot be fused is noted and does not stop the others."""
    mark = mark_of(work.track)
    said = {"label": work.label, **({"mark": mark} if mark else {"track": work.track})}
    try:
        one, refused = _fuse(stage, made, planned, exhibit, work, result)
    except exhibit_faults() as problem:
        code = "fusion_mark_failed" if mark else "fusion_failed"
        notes.append(Reason(code, {**said, "why": reason_of(problem).code}))
        return
    if one is not None:
        fused.append(one)
        return
    said |= {"crops": len(work.crops), "refused": ", ".join(f"{k} {v}" for k, v in refused.items()) or "-"}
    if not mark:
        notes.append(Reason("fusion_too_few", said))
    else:
        notes.append(Reason("fusion_mark_too_few", {**said, "end": work.end}))


def _worth(track: Track) -> float:
    return max(track.quality.get("overall", ()), default=0.0)


def _shown(tracks: Sequence[Track], made: Plan) -> tuple[list[tuple[int, int, int]], int]:
    """(track, rank, frame) of the pictures of best frames, and how many tracks get none."""
    labels = made.preset.video.fusion.labels
    order = sorted(tracks, key=lambda t: (t.label not in labels, -_worth(t), t.number))
    found = [
        (t.number, rank, frame)
        for t in sorted(order[:TRACKS_SHOWN], key=lambda t: t.number)
        for rank, frame in enumerate(t.best_frames or (t.best_frame,), 1)
    ]
    return found, max(0, len(order) - TRACKS_SHOWN)


def _wanted(
    found: ExhibitDetections | None, seen: SeenIn | None, exhibit: Exhibit, made: Plan, notes: list[Reason]
) -> tuple[list[WantedTrack], list[WantedMark]]:
    if made.fuser is None:
        notes += [Reason("fusion_mark_no_fuser", {"mark": n, "label": m.label})
                  for n, m in enumerate(followed_of(exhibit), 1)]  # fmt: skip
        return [], []
    params, fusion = made.fuser.params, made.preset.video.fusion
    shots = found.shots if found is not None else ()
    fitting = [t for t in (found.tracks if found is not None else ()) if t.label in fusion.labels]
    ranked = sorted(fitting, key=lambda t: (-_worth(t), t.number))
    if len(ranked) > fusion.at_most:
        notes.append(
            Reason("fusion_tracks_left", {"count": len(ranked) - fusion.at_most, "at_most": fusion.at_most})
        )
    here = {(f.detector, f.frame): f for f in found.frames} if found is not None else {}
    tracks = [
        WantedTrack.of(t, shots, boxes_of(t, here), params, seen.stretches(t.number) if seen else ())
        for t in ranked[: fusion.at_most]
    ]
    base = Fraction(facts_of(exhibit).time_base or "1/1000")
    return tracks, [WantedMark(m, shots, base, params) for m in followed_of(exhibit)]


def _frames(stage: Stage, exhibit: Exhibit) -> Iterator[Frame]:
    facts = facts_of(exhibit)
    upright = ENHANCERS.get("orient")(None, facts)
    with read_clip(stage.store.path(exhibit.sha256), facts) as reader:
        for frame in reader:
            yield replace(frame, pixels=upright.frame(frame.pixels))


def _fuse(
    stage: Stage, made: Plan, planned: PlannedFuser, exhibit: Exhibit, work: _Work, result: TracksMade
) -> tuple[FusedTrack | None, dict[str, int]]:
    """One picture with its record; None where too few crops agree, and why crops did not contribute."""
    cls, params, track, label = planned.cls, to_plain(planned.params), work.track, work.label
    ordered, mark = sorted(work.crops, key=lambda c: c.frame), mark_of(track)
    with stage.recorder.record(
        "processing.track_fusion",
        exhibit=exhibit.number,
        step=f"mark {mark} {label}" if mark else f"track {track} {label}",
        inputs=[exhibit.sha256],
        params={"use": cls.name, "version": cls.version, **params, "frames": [c.frame for c in ordered]},
        ai_class=AiClass.NONE.value,
    ) as op:
        fuser = cls(planned.params)
        fused = fuser.fuse(ordered)
        if fused is None:
            op.metrics.update({"frames_used": 0, **{f"refused_{k}": v for k, v in fuser.refused.items()}})
            return None, fuser.refused
        measured = {k: round(float(v), 6) for k, v in sorted(fused.measured.items())}
        method = {
            "exhibit": exhibit.number,
            "exhibit_sha256": exhibit.sha256,
            "preset": made.preset.name,
            "preset_sha256": made.preset.sha256,
            "track": track,
            "label": label,
            "use": cls.name,
            "version": cls.version,
            "params": params,
            "frames": list(fused.frames),
            "best_frame": fused.reference_frame,
            "refused": dict(fused.refused),
            "measured": measured,
            "ai_class": AiClass.NONE.value,
        }
        picture = _derivative(stage, made, exhibit, "track_fusion", fused.pixels, method)
        unsure = _derivative(stage, made, exhibit, "track_uncertainty", fused.uncertainty, method)
        result.derivatives += [picture, unsure]
        _record(op, (picture, unsure), measured, fused)
    _pictures(stage, exhibit, track, fused, float(params["uncertainty_gain"]), result)
    one = FusedTrack(track, label, picture.sha256, unsure.sha256, cls.name, cls.version, params,
                     fused.reference_frame, fused.frames, dict(fused.refused), measured)  # fmt: skip
    return one, fuser.refused


def _record(
    op: Operation, derivatives: Sequence[Derivative], measured: dict[str, float], fused: Fused
) -> None:
    op.outputs += [d.sha256 for d in derivatives]
    op.metrics.update(measured)
    op.metrics.update({f"refused_{k}": v for k, v in fused.refused.items()})


def _pictures(
    stage: Stage, exhibit: Exhibit, track: int, fused: Fused, gain: float, result: TracksMade
) -> None:
    peak = float(np.max(fused.uncertainty)) / gain
    for role, pixels, scale in (
        ("fused", fused.pixels, {}),
        ("single", fused.single, {}),
        ("uncertainty", fused.uncertainty, {"gain": gain, "unit_max": peak}),
    ):
        data = stage.store.put_bytes(track_picture(pixels, role, scale))
        result.pictures.append(PictureRef(exhibit.number, role, data, fused.reference_frame, track))


def _derivative(
    stage: Stage, made: Plan, exhibit: Exhibit, kind: str, pixels: Pixels, method: dict[str, object]
) -> Derivative:
    compression = made.preset.output.png_compression
    with stage.store.scratch() as scratch:
        path = scratch / f"{kind}.png"
        words = {"PLAYE": canonical_json({**method, "kind": kind}).decode()}
        write_png(path, pixels, None, None, words, compression)
        sha256, size = stage.store.adopt(path)
    return Derivative(
        number="",
        exhibit=exhibit.number,
        kind=kind,
        sha256=sha256,
        size=size,
        media_type="image/png",
        was_derived_from=(exhibit.sha256,),
        ai_class=AiClass.NONE,
        pixel_sha256=pixel_sha256(pixels),
        width=pixels.shape[1],
        height=pixels.shape[0],
        frame_count=1,
        suffix=".png",
        encoder=png_encoder(compression),
    )
