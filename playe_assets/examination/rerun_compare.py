"""Every derivative that the report names beside the one that the rerun made: which level is reached, and by how much.

Derivatives meet by exhibit, kind and order (fused pictures by their track), never by number, so that one that is
missing does not shift the others. Frames pass one by one: memory is flat in the length of a clip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.errors import PlayeError
from playe_assets.core.values import EnhancedManifest, MetricsManifest
from playe_assets.examination.rerun_level import L1_MOST, L2_SHARE, Level, share_apart
from playe_assets.examination.rerun_samples import clips_apart, pictures_apart, samples_of
from playe_assets.examination.stage import Progress, Words
from playe_assets.stores.case_store import CaseStore

_FUSED = ("track_fusion", "track_uncertainty")
PICTURES = ("photo", *_FUSED)
_TWICE = 1_000_000
"""Added to the order of a derivative that claims the place of another."""


@dataclass
class Verdict:
    """One derivative: what was asked for, what was reached, and by how much it differs."""

    exhibit: str
    kind: str
    order: int
    """0 upward among the exhibit's derivatives of this kind; of a fused picture its track (0, -1 ... for marks)."""
    number_then: str | None
    number_now: str | None
    asked: Level = Level.L0
    reached: Level = Level.NOT_MADE
    why: Words | None = None
    """What there is to say beside the level."""
    sha256_then: str | None = None
    sha256_now: str | None = None
    pixel_sha256_then: str | None = None
    pixel_sha256_now: str | None = None
    max_difference: float | None = None
    """Largest difference of a sample, in units of 1/255 of full range; null where the original was not at hand."""
    mean_difference: float | None = None
    frames_differing: int | None = None
    first_frame: int | None = None
    """Index of the first frame that differs."""
    measured: list[dict[str, Any]] = field(default_factory=list)
    """Of L2: each value that was measured on both sides, `{name, then, now, share}`."""

    @property
    def file_equal(self) -> bool:
        """Whether even the file is the same, container and metadata too."""
        return self.sha256_then is not None and self.sha256_then == self.sha256_now

    @property
    def holds(self) -> bool:
        """Whether what was asked for is reached."""
        return self.reached.rank <= self.asked.rank


@dataclass(frozen=True)
class Sides:
    """What is compared: the report's findings, and the rerun's manifests with its store."""

    findings: Mapping[str, Any]
    enhanced: EnhancedManifest
    metrics: MetricsManifest
    store: CaseStore
    original: Callable[[str], Path | None]
    """A file with these bytes, where the original derivative is at hand."""
    same_class: bool
    absent: Mapping[str, str]
    """Exhibit to sha256 of those that were not found."""


def verdicts_of(sides: Sides, progress: Progress) -> list[Verdict]:
    """A verdict for every derivative that either side has, in the report's order."""
    then = _keyed(sides.findings["derivatives"], _tracks(sides.findings["steps"]))
    now = _keyed(to_plain(sides.enhanced.derivatives), _tracks(to_plain(sides.enhanced.entries)))
    found: list[Verdict] = []
    keys = [*then, *(k for k in now if k not in then)]
    for done, key in enumerate(keys):
        before, after = then.get(key), now.get(key)
        told = before or after or {}
        progress(Words("rerun.comparing", derivative=told["number"]), done, len(keys))
        verdict = Verdict(*key, before["number"] if before else None, after["number"] if after else None)
        found.append(verdict)
        if before is None:
            verdict.reached, verdict.why = Level.DIFFERS, Words("rerun.why.not_in_report")
        elif after is None:
            verdict.asked = Level.L0 if sides.same_class else Level.L2
            verdict.why = _why_not_made(sides, key[0])
            verdict.sha256_then, verdict.pixel_sha256_then = before["sha256"], before.get("pixel_sha256")
        else:
            _Pair(sides, verdict, before, after, found).judge(progress)
    progress("", len(keys), len(keys))
    return found


_Key = tuple[str, str, int]


def _keyed(
    derivatives: Sequence[Mapping[str, Any]], tracks: Mapping[str, int]
) -> dict[_Key, Mapping[str, Any]]:
    found: dict[_Key, Mapping[str, Any]] = {}
    counts: dict[tuple[str, str], int] = {}
    for one in derivatives:
        place = (one["exhibit"], one["kind"])
        order = counts.get(place, 0)
        counts[place] = order + 1
        key = (*place, tracks.get(one["number"], order) if one["kind"] in _FUSED else order)
        while key in found:  # a report may claim one place twice: neither hides the other
            key = (*place, key[2] + _TWICE)
        found[key] = one
    return found


def _tracks(entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Number of a fused picture to its track."""
    found = {}
    for entry in entries:
        for fused in entry.get("fused") or ():
            found[fused["derivative"]] = found[fused["uncertainty"]] = int(fused["track"])
    return found


def _why_not_made(sides: Sides, exhibit: str) -> Words:
    if exhibit in sides.absent:
        return Words("rerun.why.absent", exhibit=exhibit, sha256=sides.absent[exhibit])
    entry = next((e for e in sides.enhanced.entries if e.exhibit == exhibit), None)
    if entry is not None and entry.failure is not None:
        return Words("rerun.why.failed", exhibit=exhibit, code=entry.failure.code)
    return Words("rerun.why.not_made", exhibit=exhibit)


@dataclass
class _Pair:
    """One derivative on both sides."""

    sides: Sides
    verdict: Verdict
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    earlier: Sequence[Verdict]
    """Verdicts so far: a viewing copy and a ledger are of their master."""

    def judge(self, progress: Progress) -> None:
        verdict, before, after = self.verdict, self.before, self.after
        verdict.sha256_then, verdict.sha256_now = before["sha256"], after["sha256"]
        verdict.pixel_sha256_then = before.get("pixel_sha256")
        verdict.pixel_sha256_now = self._decoded() or after.get("pixel_sha256")
        equal = verdict.file_equal if before["kind"] == "ledger" else (
            verdict.pixel_sha256_then is not None and verdict.pixel_sha256_then == verdict.pixel_sha256_now
        )  # fmt: skip
        original = None if equal else self.sides.original(before["sha256"])
        verdict.asked = (
            Level.L0 if self.sides.same_class else Level.L1 if original is not None or equal else Level.L2
        )
        if equal:
            verdict.reached = Level.L0
            if not verdict.file_equal:
                self._file_apart()
            return
        if before["kind"] == "ledger":
            self._ledger(original)
        elif original is not None and self._bounded(original, progress):
            return
        if verdict.reached is Level.NOT_MADE:
            self._measured(original is not None)

    def _file_apart(self) -> None:
        """The samples' digest is met, but the report names another file: that one has to hold these samples too."""
        verdict, original = self.verdict, self.sides.original(self.before["sha256"])
        verdict.why = Words("rerun.why.only_file_differs")
        if original is None:
            verdict.why = Words("rerun.why.file_not_seen")
            if self.sides.same_class:
                verdict.reached = Level.DIFFERS  # here even the file comes out the same
            return
        try:
            found = (
                samples_of(original, self.before["kind"] in PICTURES)
                if self.before["kind"] != "proxy"
                else None
            )
        except PlayeError as problem:
            verdict.reached, verdict.why = Level.DIFFERS, Words("rerun.why.unreadable", problem=Said(problem))
            return
        if found is None:
            verdict.reached = Level.DIFFERS if self.sides.same_class else verdict.reached
            verdict.why = Words("rerun.why.file_not_compared")
        elif found != verdict.pixel_sha256_then:
            verdict.reached, verdict.why = Level.DIFFERS, Words("rerun.why.file_of_others", sha256=found)

    def _decoded(self) -> str | None:
        """The digest of a picture's samples as its file gives them back. Of clips the examination has done so."""
        from playe_assets.media.photo import read_photo
        from playe_assets.media.pixel_digest import pixel_sha256

        if self.after["kind"] not in PICTURES:
            return None
        return pixel_sha256(read_photo(self.sides.store.path(self.after["sha256"])).pixels)

    def _bounded(self, original: Path, progress: Progress) -> bool:
        """Compare samples; whether L1 is reached."""
        verdict, made = self.verdict, self.sides.store.path(self.after["sha256"])
        try:
            if self.before["kind"] in PICTURES:
                found = pictures_apart(original, made)
            else:
                found = clips_apart(original, made, progress, str(self.before["number"]))
        except PlayeError as problem:
            verdict.why = Words("rerun.why.unreadable", problem=Said(problem))
            return False
        if found is None:
            verdict.reached, verdict.why = Level.DIFFERS, Words("rerun.why.other_shape")
            return True
        verdict.max_difference, verdict.mean_difference = found.most, found.mean
        verdict.frames_differing, verdict.first_frame = found.frames_differing, found.first_frame
        if found.most <= L1_MOST:
            verdict.reached = Level.L1
            verdict.why = Words("rerun.why.bounded", most=f"{found.most:g}", bound=f"{L1_MOST:g}",
                                mean=f"{found.mean:.4f}")  # fmt: skip
            return True
        return False

    def _measured(self, at_hand: bool) -> None:
        verdict = self.verdict
        told = self._values()
        verdict.measured = told
        apart = (
            Words("rerun.why.beyond", most=f"{verdict.max_difference:g}", bound=f"{L1_MOST:g}",
                  mean=f"{verdict.mean_difference:.4f}")
            if verdict.max_difference is not None and verdict.mean_difference is not None
            else Words("rerun.why.not_at_hand" if not at_hand else "rerun.why.not_compared")
        )  # fmt: skip
        if not told:
            verdict.reached = Level.DIFFERS
            verdict.why = Words("rerun.why.nothing_measured", apart=apart)
            return
        worst = max(told, key=lambda one: float(one["share"]))
        good = float(worst["share"]) <= L2_SHARE
        verdict.reached = Level.L2 if good else Level.DIFFERS
        verdict.why = Words("rerun.why.metrics", apart=apart, name=worst["name"], then=worst["then"],
                            now=worst["now"], share=f"{100 * float(worst['share']):.2f}",
                            bound=f"{100 * L2_SHARE:g}")  # fmt: skip

    def _values(self) -> list[dict[str, Any]]:
        kind = self.before["kind"]
        if kind in _FUSED:
            entries = (self.sides.findings["steps"], to_plain(self.sides.enhanced.entries))
            then, now = (_fused(e, self.verdict) for e in entries)
        else:
            # A viewing copy is made of the master, and no metric looks at it by itself.
            of = "master" if kind == "proxy" else kind
            columns = [c["name"] for c in self.sides.findings["metrics"]["columns"]]
            then = _row(self.sides.findings["metrics"]["rows"], self.sides.findings["derivatives"],
                        self.verdict.exhibit, of, columns)  # fmt: skip
            now = _row(self.sides.metrics.rows, to_plain(self.sides.enhanced.derivatives),
                       self.verdict.exhibit, of, columns)  # fmt: skip
        return [
            {"name": name, "then": then[name], "now": now.get(name), "share": share_apart(then[name], now.get(name))}
            for name in sorted(then)
        ]  # fmt: skip

    def _ledger(self, original: Path | None) -> None:
        from playe_assets.media.ledger_columns import read_ledger_columns

        verdict = self.verdict
        data = self.sides.store.get_bytes(self.after["sha256"])
        new = read_ledger_columns(data)
        if original is not None:
            old = read_ledger_columns(original.read_bytes())
            times = _same_times(old, new)
            frames = (
                -1 if len(old) != len(new) else int((old.output_sha256 != new.output_sha256).any(1).sum())
            )
            verdict.frames_differing = max(frames, 0)
            verdict.reached = Level.DIFFERS if not times else Level.L0 if frames == 0 else Level.L1
            key = "ledger_times" if not times else "ledger_frames" if frames else "ledger_numbers"
            verdict.why = Words(f"rerun.why.{key}", frames=frames, of=len(old))
            return
        stated: Mapping[str, Any] = next(
            (
                v["ledger"] or {}
                for v in self.sides.findings.get("video") or ()
                if v["exhibit"] == verdict.exhibit
            ),
            {},
        )
        here = {"frames": len(new), "kinds": new.kinds(), "corrupt": int(new.corrupt.sum()),
                "pts_equal": new.moved() is None}  # fmt: skip
        verdict.measured = [{"name": k, "then": stated.get(k), "now": v, "share": 0.0 if stated.get(k) == v else 1.0}
                            for k, v in sorted(here.items())]  # fmt: skip
        same = all(stated.get(k) == v for k, v in here.items())
        verdict.reached = Level.L2 if same else Level.DIFFERS
        verdict.why = Words("rerun.why.ledger_summary" if same else "rerun.why.ledger_times", frames=len(new),
                            of=stated.get("frames"))  # fmt: skip


class Said(Words):
    """An error of ours as words of the catalogue."""

    def __init__(self, problem: PlayeError) -> None:
        super().__init__(f"error.{problem.code}", **problem.facts)


def _same_times(old: Any, new: Any) -> bool:
    import numpy as np

    names = ("output_pts", "written_pts", "source_pts", "source_sha256", "kind", "fused_from", "corrupt")
    return len(old) == len(new) and all(np.array_equal(getattr(old, n), getattr(new, n)) for n in names)


def _fused(entries: Sequence[Mapping[str, Any]], verdict: Verdict) -> dict[str, float]:
    for entry in entries:
        for fused in entry.get("fused") or ():
            if entry["exhibit"] == verdict.exhibit and int(fused["track"]) == verdict.order:
                return dict(fused["measured"])
    return {}


def _row(
    rows: Sequence[Mapping[str, Any]], derivatives: Sequence[Mapping[str, Any]], exhibit: str, kind: str,
    columns: Sequence[str],
) -> dict[str, float]:  # fmt: skip
    number = next((d["number"] for d in derivatives if d["exhibit"] == exhibit and d["kind"] == kind), None)
    row = next((r for r in rows if r["derivative"] == number), {})
    return {name: row[name] for name in columns if row.get(name) is not None}
