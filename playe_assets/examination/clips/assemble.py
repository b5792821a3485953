"""Finished parts made into derivatives: master (no frame encoded again), planes, viewing proxy, time ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import overload

from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import AiClass, Derivative, Exhibit
from playe_assets.examination.clips.clip import PICTURE, ClipJob
from playe_assets.examination.clips.parts import FRAMES, Part, Parts
from playe_assets.examination.clips.segments import Segment
from playe_assets.examination.clips.table import Plane, Table
from playe_assets.examination.stage import Stage
from playe_assets.media.clip_join import join_clips
from playe_assets.media.proxy import make_proxy
from playe_assets.media.time_ledger import LedgerFrame, write_time_ledger
from playe_assets.media.write_report import WriteReport

_MATROSKA = "video/x-matroska"


@dataclass
class Collected:
    """All parts of a clip read once, in order: the table of frames, and where the files lie."""

    table: Table
    files: list[Path]
    """Of the parts that hold frames."""
    planes: dict[str, list[Path]]
    pictures: dict[str, bytes]
    shown: int | None
    other_size: int
    other_form: int
    conversion: Mapping[str, object] | None


def collected(parts: Parts, segments: Sequence[Segment], keys: Mapping[int, str], shown: int) -> Collected:
    """Every part of the clip.

    Raises:
        IntegrityError: fewer parts than segments: a clip is whole or is not made.
    """
    made = Collected(Table(), [], {}, {}, None, 0, 0, None)
    absent = []
    for segment in segments:
        part = parts.find(keys[segment.number])
        if part is None:
            absent.append(segment.number)
            continue
        _add(made, part, parts.folder(keys[segment.number]), shown)
    if absent:
        raise IntegrityError("clips.parts_absent", expected=len(segments), found=len(segments) - len(absent),
                             absent=", ".join(map(str, absent)))  # fmt: skip
    return made


def _add(made: Collected, part: Part, folder: Path, shown: int) -> None:
    table, frames = made.table, len(part.pts)
    corrupt = set(part.corrupt)
    table.corrupt.extend(i in corrupt for i in range(len(table), len(table) + frames))
    table.pts.extend(part.pts)
    table.source.extend(part.source)
    table.output.extend(part.output)
    table.kinds.extend(part.kind)
    table.fused_from.extend(part.fused_from)
    table.shots.extend(part.shot)
    table.numbers.extend(part.numbers, frames)
    for name, plane in part.planes.items():
        held = table.planes.setdefault(name, Plane())
        held.frames.extend(plane.frames)
        held.sha256.extend(plane.sha256)
        made.planes.setdefault(name, []).append(folder / f"{name}.mkv")
    if frames:
        made.files.append(folder / FRAMES)
    if part.shown is not None and (made.shown is None or part.shown == shown):
        made.shown = part.shown
        made.pictures = _pictures(part, folder)
    made.other_size += part.other_size
    made.other_form += part.other_form
    made.conversion = made.conversion or part.conversion


def _pictures(part: Part, folder: Path) -> dict[str, bytes]:
    before, after = PICTURE.split("{role}")
    return {
        name.removeprefix(before).removesuffix(after): (folder / name).read_bytes()
        for name in sorted(part.files)
        if name.startswith(before)
    }


class _Rows(Sequence[tuple[int, bool]]):
    """(pts, corrupt) of every frame."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, index: int) -> tuple[int, bool]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[int, bool]]: ...
    def __getitem__(self, index: int | slice) -> tuple[int, bool] | Sequence[tuple[int, bool]]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return [self[n] for n in numbers]
        return self._table.pts[numbers], bool(self._table.corrupt[numbers])


@dataclass(frozen=True)
class Assembled:
    """The derivatives of one clip, the master first, and what writing them did to times and sizes."""

    derivatives: tuple[Derivative, ...]
    reports: Mapping[str, WriteReport]


def assemble(
    stage: Stage, job: ClipJob, exhibit: Exhibit, made: Collected, folder: Path, ai_class: AiClass,
    progress: Callable[[int], None],
) -> Assembled:  # fmt: skip
    """Master, proxy, planes and ledger as objects of the store. `progress` is called with 1 a frame of the proxy."""
    table = made.table
    audio = job.path if job.facts.audio_streams else None
    master_path = folder / "master.mkv"
    master = join_clips(made.files, master_path, _Rows(table), base=job.base, output=job.output,
                        facts=job.facts, audio_from=audio)  # fmt: skip
    sha256, size = stage.store.adopt(master_path)
    derivatives = [_derivative(exhibit, "master", sha256, size, ".mkv", _MATROSKA, (exhibit.sha256,), ai_class,
                               master, table.output.together(), len(table))]  # fmt: skip
    reports = {"master": master}
    proxy_path = folder / "proxy.mp4"
    reports["proxy"] = proxy = make_proxy(
        stage.store.path(sha256), proxy_path, table.pts, base=job.base, output=job.output, facts=job.facts,
        audio_from=audio, expected=table.output, progress=lambda _done, _total: progress(1),
    )  # fmt: skip
    made_of = (exhibit.sha256, sha256)
    proxy_sha256, size = stage.store.adopt(proxy_path)
    derivatives.append(_derivative(exhibit, "proxy", proxy_sha256, size, ".mp4", "video/mp4", made_of, ai_class,
                                   proxy, table.output.together(), len(proxy.read_back)))  # fmt: skip
    for name, plane in sorted(table.planes.items()):
        path = folder / f"{name}.mkv"
        rows = [(table.pts[n], bool(table.corrupt[n])) for n in plane.frames]
        report = join_clips(made.planes[name], path, rows, base=job.base, output=job.output, facts=None,
                            audio_from=None)  # fmt: skip
        plane_sha256, size = stage.store.adopt(path)
        derivatives.append(_derivative(exhibit, name, plane_sha256, size, ".mkv", _MATROSKA, (exhibit.sha256,),
                                       ai_class, report, plane.sha256.together(), len(rows)))  # fmt: skip
    ledger = write_time_ledger(
        _ledger(table, master, proxy, job.base), job.base, written_time_base=master.written_time_base,
        shift=master.shift_s, proxy_time_base=proxy.written_time_base, proxy_shift=proxy.shift_s,
    )  # fmt: skip
    derivatives.append(
        Derivative("", exhibit.number, "ledger", stage.store.put_bytes(ledger), len(ledger),
                   "application/vnd.apache.parquet", made_of, AiClass.NONE, suffix=".parquet",
                   frame_count=len(table))
    )  # fmt: skip
    return Assembled(tuple(derivatives), reports)


def _derivative(
    exhibit: Exhibit, kind: str, sha256: str, size: int, suffix: str, media_type: str, made_of: tuple[str, ...],
    ai_class: AiClass, report: WriteReport, pixel_sha256: str, frames: int,
) -> Derivative:  # fmt: skip
    return Derivative(
        number="", exhibit=exhibit.number, kind=kind, sha256=sha256, size=size, media_type=media_type,
        was_derived_from=made_of, ai_class=ai_class, pixel_sha256=pixel_sha256, width=report.width,
        height=report.height, frame_count=frames, suffix=suffix, encoder=report.encoder,
    )  # fmt: skip


def _ledger(table: Table, report: WriteReport, proxy: WriteReport, base: Fraction) -> Iterator[LedgerFrame]:
    for index, row in enumerate(report.rows):
        written = row.written_pts or 0
        yield LedgerFrame(
            output_frame=index, output_pts=report.recovered(written, base), written_pts=written,
            source_pts=table.pts[index], source_sha256=table.source[index], output_sha256=table.output[index],
            kind=table.kinds[index], fused_from=table.fused_from[index], corrupt=bool(table.corrupt[index]),
            shot=table.shots[index] if table.shots[index] >= 0 else None,
            proxy_written_pts=proxy.read_back[index], numbers=table.numbers.at(index),
        )  # fmt: skip
