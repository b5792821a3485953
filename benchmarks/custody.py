"""The custody log: acknowledged records a second, a million records verified, cost of an append, records lost."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import MIB, OUT, ROOT, Figure, Options, python

WRITERS = 8
SECONDS = 4.0
LENGTHS = (1_000, 100_000, 1_000_000)


def run(options: Options) -> list[Figure]:
    """Throughput, verification, cost of an append, faults. `repeats` rounds of throughput, `kills` writers killed."""
    return [*_throughput(options.repeats), *_long(options.repeats), *_faults(options.kills)]


def records() -> Iterator[dict[str, Any]]:
    """Start and end lines of steps as `Recorder` writes them, without an end, about 1.5 KB each in the log."""
    from playe_assets.custody.log import CustodyLog
    from playe_assets.custody.record import Activity, Operator, Recorder

    class Kept(CustodyLog):
        def append(self, entries):
            kept.extend(dict(e) for e in entries)
            return [0] * len(entries)

    kept: list[dict[str, Any]] = []
    activity = Activity(
        "enhanced_frames", "CASE-2026-0001", "9d7f0a6e-1c1e-4f9c-8a0e-7d5c1f0a2b3c", "enhanced_frames"
    )
    recorder = Recorder(Kept(Path("/nowhere/events.jsonl")), request_id="request-42", case_id="CASE-2026-0001",
                        operator=Operator("anna", "examiner", "os-user"), activity=activity)  # fmt: skip
    recorder.examination_id = hashlib.sha256(b"examination").hexdigest()
    number = 0
    while True:
        kept.clear()
        sha256 = hashlib.sha256(b"%d" % number).hexdigest()
        params = {"h": 3.5, "h_color": 3.0, "template": 7, "search": 21,
                  "segment": {"number": number % 40, "first": 250 * number, "last": 250 * number + 249}}  # fmt: skip
        with recorder.record("processing.step", exhibit=f"E{number % 999:03d}", step="2 nlm", inputs=[sha256],
                                params=params, ai_class="none") as work:  # fmt: skip
            work.outputs.append(hashlib.sha256(sha256.encode()).hexdigest())
            work.metrics = {"frames": 250, "psnr_db": 31.25 + number % 7 / 8, "noise": 4.25}
            work.checks = [{"name": "frames", "expected": 250, "found": 250, "passed": True}]
        yield from kept
        number += 1


@contextmanager
def _folder() -> Iterator[Path]:
    OUT.mkdir(parents=True, exist_ok=True)  # on the project's own disk: a folder in memory syncs for nothing
    with tempfile.TemporaryDirectory(dir=OUT) as found:
        yield Path(found)


def _throughput(repeats: int) -> list[Figure]:
    grouped, alone, ratio = [], [], []
    for _ in range(repeats):
        with _folder() as folder:
            alone.append(_loop(folder / "loop"))
            grouped.append(_writers(folder / "events.jsonl", WRITERS))
        ratio.append(grouped[-1] / alone[-1])
    better = max(range(repeats), key=lambda i: ratio[i])
    return [
        Figure("acknowledged records, 8 writers", grouped, "/s", at_least=4000),
        Figure("one process: flock, write, fdatasync", alone, "/s", note="the same bytes, made before"),
        Figure(
            "8 writers to that loop", ratio, "x", at_least=2, note=f"side by side; best round {better + 1}"
        ),
    ]


def _loop(path: Path) -> float:
    line = json.dumps(next(records())).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, line)
        os.fdatasync(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        count += 1
    os.close(descriptor)
    return count / (time.perf_counter() - began)


_WRITER = """
import itertools, sys, time
from pathlib import Path
from benchmarks.custody import records
from playe_assets.custody.log import CustodyLog
log, seconds = CustodyLog(Path(sys.argv[1])), float(sys.argv[2])
made = list(itertools.islice(records(), 40))
print("ready", flush=True)
sys.stdin.readline()
count, end = 0, time.monotonic() + seconds
while time.monotonic() < end:
    log.append([made[count % 40]])
    count += 1
print(count)
"""


def _writers(path: Path, count: int) -> float:
    from playe_assets.custody.log import CustodyLog

    command, pipe = python("-c", _WRITER, str(path), str(SECONDS)), subprocess.PIPE
    writers = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(count)]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    acknowledged = sum(int(w.communicate()[0]) for w in writers)
    if CustodyLog(path).verify() != (acknowledged, None):
        raise RuntimeError(f"{path} does not hold the {acknowledged} records that were acknowledged")
    return acknowledged / SECONDS


_VERIFY = """
import json, resource, sys, time
from pathlib import Path
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.merkle import Frontier, leaf_hash
tree = Frontier()
before, cpu = time.perf_counter(), time.process_time()
found = CustodyLog(Path(sys.argv[1])).check(on_line=lambda index, raw: tree.add(leaf_hash(raw)))
seconds, cpu = time.perf_counter() - before, time.process_time() - cpu
assert found.finding is None and tree.size == found.lines
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"lines": found.lines, "seconds": seconds, "cpu": cpu, "peak": peak, "root": tree.root().hex()}))
"""


def _long(repeats: int) -> list[Figure]:
    """Appends to logs of three lengths, and a million records verified by a process of its own."""
    from playe_assets.custody.log import CustodyLog

    made = list(itertools.islice(records(), 2000))
    costs: dict[int, list[float]] = {n: [] for n in LENGTHS}
    with _folder() as folder:
        logs = {n: CustodyLog(folder / f"events{n}.jsonl") for n in LENGTHS}
        for length, log in logs.items():
            written = 0
            while written < length:
                written = log.append(made[: length - written])[-1] + 1
        for entry in made[:300]:  # by turns, so that other work on the machine meets all of them
            for length, log in logs.items():
                began = time.perf_counter()
                written = log.append([entry])[-1] + 1
                costs[length].append(time.perf_counter() - began)
        size = log.path.stat().st_size
        told = []
        for _ in range(repeats):
            done = subprocess.run(python("-c", _VERIFY, str(log.path)), cwd=ROOT, capture_output=True, text=True,
                                  check=True)  # fmt: skip
            told.append(json.loads(done.stdout))
    note = f"{written} lines, {size / written:.0f} bytes each, with the root of the tree; CPU {told[0]['cpu']:.1f} s"
    figures = [
        Figure("verify a million records", [t["seconds"] for t in told], "s", at_most=30, note=note),
        Figure(
            "verify: peak resident", [t["peak"] for t in told], "MiB", at_most=64 * 1e6 / MIB, note="64 MB"
        ),
    ]
    first = sorted(costs[LENGTHS[0]])
    figures += [Figure(f"one append at {n:,} lines", [c * 1000 for c in costs[n]], "ms") for n in LENGTHS]
    last = sorted(costs[LENGTHS[-1]])
    growth = last[len(last) // 2] / first[len(first) // 2]
    return [
        *figures,
        Figure("append at 1,000,000 to 1,000 lines", [growth], "x", at_most=1.25, note="of medians"),
    ]


def _faults(kills: int) -> list[Figure]:
    """Acknowledged records that are not in the log afterwards."""
    from playe_assets.custody.log import CustodyLog
    from playe_assets_tests.custody import log_faults
    from playe_assets_tests.custody.log_faults import LOG, disk, fill, kill_writers

    figures = []

    def figure(name: str, folder: Path, *parts: log_faults.Told) -> None:
        log = CustodyLog(folder / LOG)
        if log.verify()[1] is not None:
            raise RuntimeError(f"after {name} the log does not hold: {log.verify()[1]}")
        count = sum(len(told.acknowledged) for told in parts)
        said = [code for told in parts for code in told.failures]
        note = f"of {count} acknowledged; {sum(t.kills for t in parts)} killed; refused: "
        note += ", ".join(f"{said.count(code)} x {code}" for code in sorted(set(said))) or "none"
        figures.append(
            Figure(f"lost: {name}", [sum(len(t.lost(log)) for t in parts)], "", at_most=0, note=note)
        )

    with _folder() as folder:
        library = log_faults.compiled(folder)
        if library is None:
            raise RuntimeError("gcc or cc is needed to build the faulty disk")
        for place, (name, settings) in enumerate(
            {
                "kill -9": {},
                "kill -9 and loss of power": {"library": library},
                "kill -9 while rotating": {"rotate": 20_000},
            }.items()
        ):
            (folder / str(place)).mkdir()
            figure(
                name, folder / str(place), kill_writers(folder / str(place), kills, seed=place, **settings)
            )
        for name, settings in {
            "EIO from fdatasync": disk(library, fault="eio", after=40),
            "ENOSPC": disk(library, fault="enospc", after=100, times=20),
            "short writes": disk(library, fault="short"),
        }.items():
            (folder / name).mkdir()
            figure(name, folder / name, fill(folder / name, settings, 4, 300), fill(folder / name, {}, 2, 50))
    return figures
