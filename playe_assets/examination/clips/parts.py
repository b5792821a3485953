"""Finished segments on the disk, each under the digest of all that decides it: a killed run goes on after the last.

`cases/<case>/segments/<key>/` holds `part.json`, the frames (`part.mkv`), planes beside them and pictures for
the report. A part appears whole or not at all; one whose bytes have changed is found out and made anew.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playe_assets.core.canonical import canonical_json, digest, from_plain, to_plain
from playe_assets.core.durable import sync_folder
from playe_assets.core.errors import IntegrityError
from playe_assets.stores.case_store import hash_file

SCHEMA: Final = "playe-part/1"
FRAMES: Final = "part.mkv"
_STATED: Final = "part.json"
_PARTIAL: Final = ".partial"


@dataclass(frozen=True)
class PlanePart:
    """A plane beside the frames, such as `contributors`; not every frame need have it."""

    frames: tuple[int, ...]
    """Indices of the clip's frames."""
    sha256: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """What a finished segment states; one value a frame, in order, where nothing else is said."""

    segment: int
    first_frame: int
    pts: tuple[int, ...] = ()
    corrupt: tuple[int, ...] = ()
    """Indices of frames whose decoding was damaged."""
    source: tuple[str, ...] = ()
    """sha256 of the decoded frame."""
    steps: tuple[tuple[str, ...], ...] = ()
    """For each step the sha256 of the frames that left it; the last are the output."""
    kind: tuple[str, ...] = ()
    fused_from: tuple[int, ...] = ()
    shot: tuple[int, ...] = ()
    """-1 where nobody looked for cuts."""
    numbers: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """`<step>_<name>`: what steps measured, null where a frame states none."""
    planes: Mapping[str, PlanePart] = field(default_factory=dict)
    shown: int | None = None
    """Index of the frame that the report's pictures beside `part.json` show, `picture-<role>.png`."""
    other_size: int = 0
    """Frames of another size that were left out before this segment's last frame."""
    other_form: int = 0
    """Frames coded in another form than the clip's first, from this segment's second to the next one's first."""
    conversion: Mapping[str, Any] | None = None
    """How samples became RGB."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Name to sha256 of every file beside `part.json`."""
    schema: str = SCHEMA

    @property
    def output(self) -> tuple[str, ...]:
        """sha256 of the frames as they left the last step."""
        return self.steps[-1] if self.steps else self.source


class Parts:
    """The cache of one case. One run at a time works on a case, so nobody else writes here."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sound: set[str] = set()
        """Keys whose files this process has hashed."""
        self.damaged: list[str] = []
        """Keys of parts that were found spoilt and put away."""

    def folder(self, key: str) -> Path:
        """Where the part lies or would lie."""
        return self.root / key

    def find(self, key: str) -> Part | None:
        """The finished part, every byte of it hashed again once a process; None where it has to be made."""
        folder = self.folder(key)
        if not folder.is_dir():
            return None
        try:
            part = _read(folder)
            if key not in self._sound:
                _check(folder, part)
        except (OSError, ValueError, KeyError, TypeError, IntegrityError):
            # Whatever a crash or a failing disk left there: it is no evidence, only our own work to be redone.
            self.damaged.append(key)
            shutil.rmtree(folder, ignore_errors=True)
            return None
        self._sound.add(key)
        return part

    def begin(self, key: str) -> Path:
        """An empty folder to write the part into; `finish` makes it appear under its key."""
        folder = self.root / f"{key}{_PARTIAL}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        return folder

    def finish(self, key: str, part: Part) -> Part:
        """State what lies in the folder and make it appear; it is on the disk when this returns."""
        folder = self.root / f"{key}{_PARTIAL}"
        files = {}
        for path in sorted(folder.iterdir()):
            files[path.name] = hash_file(path)[0]
            _sync(path)
        stated: dict[str, Any] = {**to_plain(part), "files": files}
        path = folder / _STATED
        path.write_bytes(canonical_json({"part": stated, "sha256": digest(stated)}))
        _sync(path)
        sync_folder(folder)
        folder.rename(self.folder(key))
        sync_folder(self.root)
        self._sound.add(key)
        return _part(stated)

    def scratch(self, name: str) -> Path:
        """An empty folder for files in the making, on the filesystem of the store; swept with the rest."""
        return self.begin(name)

    def keep_only(self, keys: Iterable[str]) -> None:
        """Removes whatever is not a finished part among `keys`: halves of killed runs, other examinations'."""
        wanted = set(keys)
        if self.root.is_dir():
            for path in self.root.iterdir():
                if path.name not in wanted:
                    shutil.rmtree(path, ignore_errors=True)

    def discard(self) -> None:
        """Removes all of it."""
        shutil.rmtree(self.root, ignore_errors=True)


def parts_in(case: Path) -> Parts:
    """The finished segments of the case whose folder is `case`."""
    return Parts(case / "segments")


def _read(folder: Path) -> Part:
    held = json.loads((folder / _STATED).read_bytes())
    if digest(held["part"]) != held["sha256"]:
        raise IntegrityError("clips.part_damaged", file=_STATED)
    return _part(held["part"])


def _part(stated: Mapping[str, Any]) -> Part:
    return from_plain(Part, dict(stated))


def _check(folder: Path, part: Part) -> None:
    found = {p.name for p in folder.iterdir()} - {_STATED}
    if found != set(part.files):
        raise IntegrityError("clips.part_damaged", file=", ".join(sorted(found ^ set(part.files))))
    for name, sha256 in part.files.items():
        if hash_file(folder / name)[0] != sha256:
            raise IntegrityError("clips.part_damaged", file=name)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
