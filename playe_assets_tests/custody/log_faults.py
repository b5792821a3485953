"""Writers of the custody log as processes of their own, killed with -9 or on a faulty disk; the test suite and
`python -m benchmarks custody` use them. Each writer says on its standard output which lines were acknowledged."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from playe_assets.custody.log import CustodyLog

LOG = "events.jsonl"
_WRITER = """
import sys
from pathlib import Path
from playe_assets.custody.log import CustodyLog
from playe_assets.core.errors import PlayeError
path, name, rotate, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
log = CustodyLog(path, rotate_bytes=rotate)
number = failed = 0
while number < most and failed < 40:
    entry = {"event": "fault", "writer": name, "number": number, "text": "x" * (number * 37 % 1500)}
    try:
        (seq,) = log.append([entry])
    except (OSError, PlayeError) as problem:
        failed += 1
        print("!", getattr(problem, "code", None) or getattr(problem, "errno", 0), flush=True)
    else:
        print(seq, number, flush=True)
    number += 1
"""


@dataclass
class Told:
    """What the writers said before they ended."""

    acknowledged: dict[int, tuple[str, int]] = field(default_factory=dict)
    """seq to (writer, its number)."""
    failures: list[str] = field(default_factory=list)
    """Error codes and errnos, in the order in which each writer met them."""
    kills: int = 0

    def hear(self, name: str, said: str) -> None:
        """Take the output of one writer; a line that the kill cut in half says nothing."""
        for line in said.splitlines(keepends=True):
            if not line.endswith("\n"):
                continue
            seq, told = line.split()
            if seq == "!":
                self.failures.append(told)
            else:
                assert int(seq) not in self.acknowledged, "a line was acknowledged twice"
                self.acknowledged[int(seq)] = (name, int(told))

    def lost(self, log: CustodyLog) -> list[int]:
        """Acknowledged lines that are not in the log as they were written."""
        found = {i: (e["writer"], e["number"]) for i, e, _ in log.read() if e and e.get("event") == "fault"}
        return [seq for seq, told in self.acknowledged.items() if found.get(seq) != told]


def compiled(folder: Path) -> Path | None:
    """The faulty disk as a shared library, or None where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "faulty_disk.so"
    source = Path(__file__).with_name("faulty_disk.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"], check=True
    )
    return library


def start(
    path: Path, name: str, disk: dict[str, str] | None = None, rotate: int = 0, most: int = 10**9
) -> subprocess.Popen[str]:
    """A writer of `most` lines at `path`; `disk` are the settings of the faulty disk."""
    command = [sys.executable, "-c", _WRITER, str(path), name, str(rotate), str(most)]
    env = {**os.environ, **(disk or {})}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def disk(
    library: Path, saved: Path | None = None, fault: str = "", after: int = 0, times: int = 0
) -> dict[str, str]:
    """Settings of the faulty disk (faulty_disk.c)."""
    found = {"LD_PRELOAD": str(library), "DISK_FILE": LOG, "DISK_FAULT": fault, "DISK_AFTER": str(after),
             "DISK_TIMES": str(times)}  # fmt: skip
    return found if saved is None else {**found, "DISK_SAVED": str(saved)}


def kill_writers(folder: Path, kills: int, seed: int, library: Path | None = None, rotate: int = 0) -> Told:
    """Kill `kills` writers with -9, four at a time, at random moments; with `library` the power fails as well.

    A loss of power throws away what no fdatasync has saved, and the processes' cache of the state with it.
    """
    chance, told, path = random.Random(seed), Told(), folder / LOG
    saved = folder / "saved"
    saved.mkdir(exist_ok=True)
    while told.kills < kills:
        settings = disk(library, saved) if library is not None else None
        names = [f"{told.kills + n}" for n in range(min(4, kills - told.kills))]
        writers = [start(path, name, settings, rotate) for name in names]
        for writer in writers:  # the first acknowledged line says that it is at work
            assert writer.stdout is not None
            first = writer.stdout.readline()
            told.hear(names[writers.index(writer)], first)
        for writer in writers:
            time.sleep(chance.random() * 0.05)
            writer.send_signal(signal.SIGKILL)
        for name, writer in zip(names, writers, strict=True):
            told.hear(name, writer.communicate()[0])
            told.kills += writer.returncode == -signal.SIGKILL
        if library is not None:
            _lose_power(path, saved)
    return told


def _lose_power(path: Path, saved: Path) -> None:
    size = max(int(one.read_text()) for one in saved.iterdir())
    with path.open("r+b") as handle:
        handle.truncate(size)
    path.with_suffix(".state").unlink()


def fill(folder: Path, settings: dict[str, str], writers: int, lines: int) -> Told:
    """Let `writers` write until they are done or refused."""
    told, path = Told(), folder / LOG
    running = {str(n): start(path, f"{len(settings)}-{n}", settings, most=lines) for n in range(writers)}
    for name, writer in running.items():
        told.hear(f"{len(settings)}-{name}", writer.communicate()[0])
        assert writer.returncode == 0
    return told
