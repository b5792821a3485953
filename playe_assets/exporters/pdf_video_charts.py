"""Plots of a clip over time: shots, tracks and events; flicker of source and derivative; frames that were fused."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from playe_assets.exporters.pdf_charts import drawing_of, lane_of, line_of, rect_of, text_of
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import ACCENT, BAD, GOOD, INK, LINE, MUTED, WIDTH

LANES, TRACKS, LEFT, RIGHT = 12, 14, 118.0, 12.0
_MARKS = 240
_SOURCE, _TRACK = "#8d99a6", "#5b86b5"


@dataclass(frozen=True)
class Clock:
    """Places in time of one clip: frames and PTS as seconds after its first frame."""

    base: Fraction
    times: Sequence[tuple[int, int]]
    """(frame, PTS) of the frames whose time is known exactly, rising; at least two."""

    @property
    def length(self) -> float:
        """Seconds from the first frame to the last."""
        return max(float((self.times[-1][1] - self.times[0][1]) * self.base), 1e-3)

    def of_pts(self, pts: float) -> float:
        """Seconds after the first frame."""
        return float(pts - self.times[0][1]) * float(self.base)

    def of_frame(self, frame: int) -> float:
        """Seconds after the first frame; between two known frames in proportion, for drawing only."""
        at = min(max(1, bisect_right(self.times, (frame, 1 << 62))), len(self.times) - 1)
        (first, start), (last, end) = self.times[at - 1], self.times[at]
        return self.of_pts(start + (end - start) * (frame - first) / max(1, last - first))

    def exactly(self, frame: int) -> str | None:
        """`mm:ss.mmm` of a frame whose time is known, else None."""
        known = dict(self.times).get(frame)
        return None if known is None else stamp(float((known - self.times[0][1]) * self.base))


def clock_of(clip: Mapping[str, Any]) -> Clock | None:
    """The clock of an entry of `findings.video`; None where its frames' times are not stated."""
    times = [(int(f), int(p)) for f, p in clip["times"]]
    return Clock(Fraction(clip["time_base"] or "1/1000"), times) if len(times) > 1 else None


def stamp(seconds: float) -> str:
    """`mm:ss.mmm`, with hours before it from one hour on."""
    ms = round(seconds * 1000)
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    hours, minutes = ms // 3_600_000, ms // 60_000 % 60
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes:02d}"
    return f"{sign}{head}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"


def time_line(found: Mapping[str, Any], clock: Clock, say: Say) -> Any:
    """From above: shots, what each detector found, tracks with their best frame and with appearing and leaving."""
    lanes, tracks = found["timeline"][:LANES], shown_tracks(found)
    lane, gap = 12.0, 4.0
    height = (lane + gap) * (1 + len(lanes) + len(tracks)) + 22
    drawing, shapes = drawing_of(height)
    scale = (WIDTH - LEFT - RIGHT) / clock.length
    y = height - lane
    lane_of(drawing, shapes, say("video.shots", n=max(1, len(found["shots"]))), LEFT, y, lane)
    _shots(drawing, shapes, found["shots"], clock, scale, y, lane)
    cuts = [LEFT + clock.of_frame(s["first_frame"]) * scale for s in found["shots"][1:]]
    for entry in lanes:
        y -= lane + gap
        name = f"{say.word('label', entry['label'])} ({entry['detector']})"
        lane_of(drawing, shapes, name, LEFT, y, lane)
        peak = max((n for _, n in entry["frames"]), default=1)
        for at, count in _binned(entry["frames"], clock):
            high = lane * (0.35 + 0.65 * count / peak)
            wide = max(1.0, (WIDTH - LEFT - RIGHT) / _MARKS)
            drawing.add(rect_of(shapes, LEFT + at * scale, y, wide, high, ACCENT))
    for t in tracks:
        y -= lane + gap
        _track(drawing, shapes, t, found["events"], clock, scale, y, lane, say)
    for x in cuts:
        drawing.add(line_of(shapes, x, 18, x, height, MUTED, 0.5))
    _axis(drawing, shapes, clock, say)
    return drawing


def shown_tracks(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tracks that the pages show: those seen most often, in order of their numbers."""
    often = sorted(found["tracks"], key=lambda t: (-t["members"], t["number"]))[:TRACKS]
    return sorted(often, key=lambda t: t["number"])


def series(
    points: Sequence[Sequence[float | None]],
    columns: Sequence[int],
    title: str,
    clock: Clock,
    cuts: Sequence[int],
    say: Say,
    *,
    counts: bool = False,
) -> Any:
    """A plot over time: the first of `columns` is the source's (grey), the last the derivative's (blue).

    The axis of `counts` has whole numbers only.
    """
    height, base = 84.0, 20.0
    drawing, shapes = drawing_of(height)
    tall, scale = height - base - 16, (WIDTH - LEFT - RIGHT) / clock.length
    # At least one step of 8 bit high, so that what nobody can see does not fill the plot.
    top = max(1.0, *(1.08 * (p[c] or 0.0) for p in points for c in columns))
    if counts:
        top = 2.0 * ceil(top / 2)
    drawing.add(rect_of(shapes, LEFT, base, WIDTH - LEFT - RIGHT, tall, "#f7f9fb"))
    for share in (0.0, 0.5, 1.0):
        y = base + tall * share
        drawing.add(line_of(shapes, LEFT, y, WIDTH - RIGHT, y, LINE, 0.4))
        drawing.add(text_of(shapes, LEFT - 4, y - 2.5, say.number(top * share, 2), "end"))
    for frame in cuts:
        x = LEFT + clock.of_frame(frame) * scale
        drawing.add(line_of(shapes, x, base, x, base + tall, MUTED, 0.5))
    colours = (_SOURCE, ACCENT) if len(columns) > 1 else (ACCENT,)
    borders = [clock.of_frame(f) for f in cuts]
    for column, colour in zip(columns, colours, strict=True):
        places = [(clock.of_pts(p[0] or 0.0), p[column]) for p in points]
        _polyline(drawing, shapes, places, borders, scale, base, tall / top, colour)
    for n, line in enumerate(title.split("\n")):
        drawing.add(text_of(shapes, 0, height - 24 - 9 * n, line, "start", INK if n == 0 else MUTED))
    if len(columns) > 1:
        for n, (key, colour) in enumerate((("video.source", _SOURCE), ("video.derivative", ACCENT))):
            x = LEFT + 110 * n
            drawing.add(rect_of(shapes, x, height - 8, 9, 3, colour))
            drawing.add(text_of(shapes, x + 13, height - 10, say(key), "start"))
    _axis(drawing, shapes, clock, say)
    return drawing


def _polyline(
    drawing: Any, shapes: Any, places: Sequence[tuple[float, float | None]], borders: Sequence[float],
    scale: float, base: float, unit: float, colour: str,
) -> None:  # fmt: skip
    """Never joined across a cut: the two sides have nothing to do with each other."""
    last: tuple[float, float] | None = None
    part = -1
    alone = len(places) <= 60
    for at, value in places:
        now = bisect_right(borders, at)
        if value is None:
            last = None
            continue
        x, y = LEFT + at * scale, base + value * unit
        if last is not None and now == part:
            drawing.add(line_of(shapes, *last, x, y, colour, 1.1))
        if alone or last is None or now != part:
            drawing.add(rect_of(shapes, x - 0.9, y - 0.9, 1.8, 1.8, colour))
        last, part = (x, y), now


def _shots(
    drawing: Any,
    shapes: Any,
    shots: Sequence[Mapping[str, Any]],
    clock: Clock,
    scale: float,
    y: float,
    lane: float,
) -> None:
    for n, shot in enumerate(shots):
        start = LEFT + clock.of_frame(shot["first_frame"]) * scale
        after = shots[n + 1]["first_frame"] if n + 1 < len(shots) else shot["last_frame"]
        wide = LEFT + clock.of_frame(after) * scale - start
        drawing.add(rect_of(shapes, start, y, max(1.0, wide), lane, "#dbe3ec" if n % 2 else "#c6d2df"))
        if wide > 16:
            drawing.add(text_of(shapes, start + 3, y + 3.5, str(shot["number"] + 1), "start", INK))


def _track(
    drawing: Any, shapes: Any, t: Mapping[str, Any], events: Sequence[Mapping[str, Any]], clock: Clock,
    scale: float, y: float, lane: float, say: Say,
) -> None:  # fmt: skip
    name = say("track.name", n=t["number"], label=say.word("label", t["label"]))
    lane_of(drawing, shapes, name, LEFT, y, lane)
    start, end = clock.of_frame(t["first_frame"]), clock.of_frame(t["last_frame"])
    drawing.add(
        rect_of(shapes, LEFT + start * scale, y + 4, max(2.0, (end - start) * scale), lane - 8, _TRACK)
    )
    best = LEFT + clock.of_frame(t["best_frame"]) * scale
    drawing.add(rect_of(shapes, best - 0.8, y + 1, 1.6, lane - 2, BAD))
    for event in events:
        if event["track"] != t["number"]:
            continue
        at, unsure = clock.of_pts(event["pts"]), float(event["uncertain_ticks"] * clock.base)
        appears = event["kind"] == "appear"
        low, high = (at - unsure, at) if appears else (at, at + unsure)
        low, high = max(0.0, low), min(clock.length, high)
        middle = y + lane / 2
        drawing.add(line_of(shapes, LEFT + low * scale, middle, LEFT + high * scale, middle, GOOD, 0.9))
        x = LEFT + at * scale
        tip = 3.2 if appears else -3.2
        made = shapes.Polygon([x - 2.6, middle - tip / 2, x + 2.6, middle - tip / 2, x, middle + tip])
        made.fillColor, made.strokeColor = _colour(GOOD), None
        drawing.add(made)


def _colour(value: str) -> Any:
    from reportlab.lib.colors import HexColor

    return HexColor(value)


def _binned(marks: Sequence[Sequence[int]], clock: Clock) -> list[tuple[float, int]]:
    """Of neighbours that would be drawn over one another, the largest count."""
    bins: dict[int, int] = {}
    for frame, count in marks:
        at = min(_MARKS - 1, int(clock.of_frame(frame) / clock.length * _MARKS))
        bins[at] = max(bins.get(at, 0), count)
    return [(at * clock.length / _MARKS, n) for at, n in sorted(bins.items())]


def _axis(drawing: Any, shapes: Any, clock: Clock, say: Say) -> None:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = LEFT + share * (WIDTH - LEFT - RIGHT)
        drawing.add(line_of(shapes, x, 14, x, 18, LINE, 0.6))
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        drawing.add(text_of(shapes, x + (RIGHT if share == 1 else 0), 5, stamp(clock.length * share), anchor))
    drawing.add(text_of(shapes, 0, 5, say("video.time"), "start"))
