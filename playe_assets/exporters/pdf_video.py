"""Section 7, clips over time: the account of time, shots, tracks and events, flicker, best frames, fused tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_page import heading
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import chip, headed, pairs, para, sha, shown, table, titled
from playe_assets.exporters.pdf_video_charts import TRACKS, Clock, clock_of, series, stamp, time_line
from playe_assets.exporters.pdf_video_tracks import fused_tracks, track_table
from playe_assets.exporters.pdf_view import View

_EVENTS = 24


def clips(view: View, pictures: Mapping[str, bytes], say: Say) -> list[Any]:
    """Every clip that was worked on; nothing where there is none."""
    if not view.video:
        return []
    story: list[Any] = [*heading(say("video"), 2), para(say("video.lead"), "body")]
    for e in view.examined():
        clip = view.video.get(e["number"])
        if clip is not None:
            story += _clip(e, clip, view, pictures, say)
    return story


def _clip(
    exhibit: Mapping[str, Any],
    clip: Mapping[str, Any],
    view: View,
    pictures: Mapping[str, bytes],
    say: Say,
) -> list[Any]:
    from reportlab.platypus import KeepTogether

    number = exhibit["number"]
    found = view.detections.get(number)
    clock = clock_of(clip)
    name = headed(f"{number} · {shown(exhibit['name_shown'], 200)}", "h3")
    story: list[Any] = [
        KeepTogether([*name, *titled(say("video.time_title")), _account(exhibit, clip, view, say)])
    ]
    if clock is None or found is None:
        return [*story, para(say("video.no_times"), "muted")]
    more = len(found["tracks"]) - TRACKS
    note = say("video.timeline_note") + (" " + say("video.more_tracks", n=more) if more > 0 else "")
    story.append(KeepTogether([*titled(say("video.timeline")), time_line(found, clock, say),
                               para(note, "muted")]))  # fmt: skip
    cuts = [s["first_frame"] for s in found["shots"][1:]]
    story += _flicker(clip, view, clock, cuts, say)
    story += _events(found, clock, say)
    story += track_table(
        found, [p for p in view.pictures[number] if p["track"] is not None], pictures, clock, say
    )
    return [*story, *fused_tracks(number, view, pictures, clock, say)]


def _account(exhibit: Mapping[str, Any], clip: Mapping[str, Any], view: View, say: Say) -> Any:
    """The table of the time ledger, audio, interlacing, stabilisation and sampling."""
    entry, found = view.steps[exhibit["number"]], view.detections.get(exhibit["number"])
    ledger, audio, fields = clip["ledger"], clip["audio"], clip["interlacing"]
    rows: list[tuple[str, Any]] = []
    if ledger is None:
        rows.append((say("video.ledger"), say("video.ledger.none")))
    else:
        kinds = [f"{say.word('frame_kind', k)}: {ledger['kinds'].get(k, 0)}"
                 for k in ("kept", "fused", "interpolated", "repeated")]  # fmt: skip
        equal = ledger["pts_equal"]
        rows += [
            (
                say("video.frames"),
                say("video.frames_of", written=ledger["frames"], promised=entry["frames_in"]),
            ),
            (say("video.kinds"), "; ".join(kinds)),
            (
                say("video.pts"),
                chip(say("video.pts.equal" if equal else "video.pts.moved"), "good" if equal else "bad"),
            ),
            (say("video.ledger"), sha(ledger["sha256"])),
        ]
        if ledger["corrupt"]:
            rows.append((say("video.corrupt"), str(ledger["corrupt"])))
    key = "video.audio.carried" if audio["streams"] else "video.audio.none"
    rows.append((say("video.audio"), say(key, n=audio["carried"], all=audio["streams"])))
    state = "done" if fields["deinterlaced"] else "kept" if fields["interlaced"] else "none"
    rows.append((say("video.fields"), say(f"video.fields.{state}", order=fields["field_order"] or "—")))
    if share := _lines_interpolated(entry):
        rows.append((say("video.lines"), say("video.lines_share", share=say.number(share))))
    if clip["stabilised"] is not None:
        measured = "; ".join(
            f"{say.word('measured', k)}: {say.number(v)}" for k, v in sorted(clip["stabilised"].items())
        )
        rows.append((say("video.stabilised"), measured or say("yes")))
    if entry["segments"]:
        rows.append((say("video.segments"), str(entry["segments"])))
    if found is not None:
        rows.append(
            (
                say("video.sampled"),
                say("video.sampled_of", n=found["frames_seen"], all=entry["frames_decoded"]),
            )
        )
        rows += [(say("video.watched"), say("video.watched_in", box=box)) for box in _watched(found)]
    return pairs(rows)


def _lines_interpolated(entry: Mapping[str, Any]) -> float:
    """The share of all lines of all frames that a step interpolated, its mean over the clip; 0 where none did."""
    shares = [s["measured"].get("interpolated_lines_share", 0.0) for s in entry["steps"]]
    return max(shares, default=0.0)


def _watched(found: Mapping[str, Any]) -> list[str]:
    """Regions, in px of the upright frame, outside which motion was not looked for: `x, y, width x height`."""
    boxes = []
    for method in found["methods"]:
        shares = [method["params"].get(f"region_{s}") for s in ("left", "top", "right", "bottom")]
        if None in shares or shares == [0, 0, 1, 1]:
            continue
        wide, tall = found["width"], found["height"]
        left, top, right, low = (round(s * n) for s, n in zip(shares, (wide, tall, wide, tall), strict=True))
        boxes.append(f"{left}, {top}, {right - left} × {low - top}")
    return boxes


def _flicker(clip: Mapping[str, Any], view: View, clock: Clock, cuts: Sequence[int], say: Say) -> list[Any]:
    from reportlab.platypus import KeepTogether

    told = clip["flicker"]
    story: list[Any] = []
    if told["points"]:
        row: Mapping[str, Any] = next(
            (r for r in view.rows[clip["exhibit"]] if r.get("derivative") == clip["master"]), {}
        )
        figures = say(
            "video.flicker_figures",
            detail=say.number(row.get("warped_error_ratio")),
            luma=say.number(row.get("luma_flicker_ratio")),
            worst=say.number(row.get("luma_flicker_worst")),
        )
        story.append(KeepTogether([
            *titled(say("video.flicker")),
            series(told["points"], (1, 2), say("video.flicker.detail"), clock, cuts, say),
            series(told["points"], (3, 4), say("video.flicker.luma"), clock, cuts, say),
            para(figures, "body"),
            para(say("video.flicker_note", n=told["compared"]), "muted"),
        ]))  # fmt: skip
    behind = clip["fused_from"]
    if any((p[1] or 1) > 1 for p in behind):
        story.append(KeepTogether([series(behind, (1,), say("video.fused_from"), clock, cuts, say, counts=True),
                                   para(say("video.fused_from_note"), "muted")]))  # fmt: skip
    return story


def _events(found: Mapping[str, Any], clock: Clock, say: Say) -> list[Any]:
    events = found["events"]
    if not events:
        return []
    rows: list[list[Any]] = [
        [say(f"col.{k}") for k in ("time", "event", "track", "label", "frame", "uncertain")]
    ]
    for e in events[:_EVENTS]:
        key = "video.later" if e["kind"] == "leave" else "video.earlier"
        unsure = float(e["uncertain_ticks"] * clock.base)
        moment = say(key, s=say.number(unsure)) if unsure else say("video.seen_so")
        rows.append([
            stamp(clock.of_pts(e["pts"])), say.word("event", e["kind"]), str(e["track"]), say.word("label", e["label"]),
            str(e["frame"]), moment,
        ])  # fmt: skip
    story: list[Any] = [*titled(say("video.events")), table(rows, [14, 16, 10, 20, 12, 28])]
    story.append(para(say("video.events_note"), "muted"))
    if len(events) > _EVENTS:
        story.append(para(say("video.more_events", n=len(events) - _EVENTS), "muted"))
    return story
