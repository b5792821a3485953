"""The inbox: which dropped folders are ready, which are still growing, which can never become a case.

A tick looks at names, sizes and times only; it never opens evidence and never hashes (design, "Intake").
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playe_assets.core.errors import CaseFileError
from playe_assets.examination.case_file import NAME, CaseFile, read_case_file
from playe_assets.examination.settings import Settings

REASON = "REASON.txt"


@dataclass(frozen=True)
class Dropped:
    """One folder in the inbox as a tick sees it."""

    folder: Path
    state: str
    """`ready`, `growing` or `rejected`."""
    fingerprint: str
    """sha256 over names, sizes and mtimes."""
    arrived_ns: int
    """ctime of the folder itself: being put here sets it, so the same folder dropped again is a new delivery."""
    case: CaseFile | None = None
    files: int = 0
    total_bytes: int = 0
    reason: str = ""
    """For people, with values; belongs into REASON.txt."""
    told: str = ""
    """The same without names and values of the evidence, for Dagster's event log."""
    wait_s: float = 0.0
    """Of a growing folder that lacks nothing but quiet: seconds until it is ready if nothing changes."""

    @property
    def request_id(self) -> str:
        """Of this arrival: the same folder dropped again is another request."""
        if self.case is not None and self.case.request_id:
            return self.case.request_id
        return "drop-" + hashlib.sha256(f"{self.fingerprint}:{self.arrived_ns}".encode()).hexdigest()[:16]


def scan(settings: Settings, now: float | None = None) -> list[Dropped]:
    """Every folder in the inbox, by name. Files directly in the inbox are nobody's and stay."""
    settings.inbox.mkdir(parents=True, exist_ok=True)
    now = time.time() if now is None else now
    found = []
    for entry in sorted(os.scandir(settings.inbox), key=lambda e: e.name):
        if entry.name.startswith(".") or entry.name == settings.rejected.name:
            continue
        if entry.is_dir(follow_symlinks=False):
            folder = Path(entry.path)
            try:
                found.append(look(folder, settings, now))
            except FileNotFoundError:  # an intake has just moved it out
                continue
            except OSError as problem:  # one folder that cannot be read must not stop the others
                said = f"cannot be read: {errno.errorcode.get(problem.errno or 0, 'error')}"
                found.append(Dropped(folder, "growing", "", 0, reason=said, told=said))
    return found


def look(folder: Path, settings: Settings, now: float) -> Dropped:
    """One folder: its fingerprint, and whether it may be taken."""
    # Quiet is judged by ctime, which `cp -p` cannot set back; the fingerprint by mtime, which a move keeps.
    arrived = folder.stat()
    entries, newest = [], arrived.st_ctime
    for name, facts in _walk(folder):
        newest = max(newest, facts.st_ctime)
        if not stat.S_ISDIR(facts.st_mode):
            entries.append((name, facts.st_size, facts.st_mtime_ns))
    seen = hashlib.sha256()
    for name, size, mtime in sorted(entries):
        seen.update(name + b"\0" + f"{size} {mtime}\n".encode())
    fingerprint = seen.hexdigest()
    evidence = [e for e in entries if e[0] not in (NAME.encode(), REASON.encode())]
    total = sum(size for _, size, _ in evidence)
    quiet = now - newest

    def answer(
        state: str, case: CaseFile | None = None, reason: str = "", wait_s: float = 0.0, told: str = ""
    ) -> Dropped:
        return Dropped(
            folder, state, fingerprint, arrived.st_ctime_ns, case, len(evidence), total, reason, told, wait_s
        )

    def refuse(problem: CaseFileError, case: CaseFile | None = None) -> Dropped:
        # A slow copy may have stopped in the middle of case.yaml: nothing is rejected before it has settled.
        state = "growing" if quiet < settings.settle_s else "rejected"
        return answer(state, case, str(problem), max(0.0, settings.settle_s - quiet), problem.anonymous())

    if quiet < settings.quiet_s:
        # Anything may still change, a half-written case.yaml too: judge nothing yet.
        complete = _complete(folder, entries)
        return answer("growing", wait_s=settings.quiet_s - quiet if complete else settings.settle_s - quiet)
    if not folder.name.isprintable():
        return refuse(CaseFileError("inbox.folder_bytes", folder=ascii(folder.name)))
    try:
        case = read_case_file(folder)
    except CaseFileError as problem:
        return refuse(problem)
    if case.exhibits is None:
        if quiet < settings.settle_s:
            return answer("growing", case, wait_s=settings.settle_s - quiet)
    elif missing := _missing(case, entries):
        # The operator listed what will come: wait for it as long as it takes, and say so in each tick.
        return answer("growing", case, missing[0], settings.settle_s, missing[1])
    if not evidence:
        return refuse(CaseFileError("inbox.empty", folder=folder.name), case)
    if not (settings.cases / case.case_id / "case.json").exists():
        there = {name for name, _, _ in entries}
        for wanted in (*case.references, *case.references.values()):
            if os.fsencode(wanted) not in there:
                return refuse(CaseFileError("intake.reference_absent", name=wanted), case)
        for marked in case.marks:
            if os.fsencode(marked.file) not in there:
                return refuse(marked.absent(NAME), case)
    return answer("ready", case)


def reject(dropped: Dropped, settings: Settings) -> Path:
    """Move the folder to `rejected/` with REASON.txt; nothing in it is touched or lost."""
    settings.rejected.mkdir(parents=True, exist_ok=True)
    goal = _free(settings.rejected / dropped.folder.name)
    dropped.folder.rename(goal)
    note = goal / REASON
    if note.is_symlink() or (note.exists() and not note.is_file()):
        note.rename(_free(goal / f"{REASON}.delivered"))  # writing through it would leave the folder, or hang
    note.unlink(missing_ok=True)  # our own of an earlier rejection
    with note.open("x", encoding="utf-8") as out:
        out.write(dropped.reason + "\n")
    return goal


def place_for(folder: Path, settings: Settings, case_id: str, number: int) -> Path:
    """Where a delivered folder will lie after intake; the name is free."""
    return _free(settings.accepted / case_id / f"{number:03d}-{folder.name}")


def keep(folder: Path, goal: Path) -> None:
    """Move a delivered folder out of the inbox after intake; it stays as it came."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(goal)
    except OSError:  # another filesystem: copy what can be copied, then remove
        shutil.copytree(folder, goal, symlinks=True, ignore=special_files)
        shutil.rmtree(folder)


def special_files(folder: str, names: list[str]) -> list[str]:
    """FIFOs, sockets and devices among `names`, which `copytree` must leave out."""
    paths = [Path(folder) / name for name in names]
    return [p.name for p in paths if not (p.is_symlink() or p.is_dir() or p.is_file())]


def _free(goal: Path) -> Path:
    number, free = 2, goal
    while os.path.lexists(free):
        free = goal.with_name(f"{goal.name}~{number}")
        number += 1
    return free


def _walk(folder: Path) -> Iterator[tuple[bytes, os.stat_result]]:
    """(raw name below `folder`, facts) of every entry; links are not followed."""
    root = os.fsencode(folder)
    stack = [root]
    while stack:
        above = stack.pop()
        try:
            entries = list(os.scandir(above))
        except (FileNotFoundError, PermissionError):
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                facts = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # vanished between listing and looking: the next tick sees the rest
                continue
            yield os.path.relpath(entry.path, root), facts


def _missing(case: CaseFile, entries: list[tuple[bytes, int, int]]) -> tuple[str, str] | None:
    """What a listed folder still waits for: with the name, and without."""
    sizes = {name: size for name, size, _ in entries}
    listed = case.exhibits or ()
    for number, item in enumerate(listed, start=1):
        size = sizes.get(os.fsencode(item.name))
        if size is not None and item.size in (None, size):
            continue
        state = "absent" if size is None else f"has {size} bytes, listed are {item.size}"
        place = f"entry {number} of {len(listed)}"
        return f"waiting for {item.name}: {state}", f"waiting for {place}: {state}"
    return None


def _complete(folder: Path, entries: list[tuple[bytes, int, int]]) -> bool:
    """Whether the folder has a readable list and all of it is there (used to foresee the waiting time)."""
    try:
        case = read_case_file(folder)
    except CaseFileError:
        return False
    return case.exhibits is not None and not _missing(case, entries)
