"""What Dagster costs a case of one small photograph: by command, and through folder, sensor and daemon."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

from benchmarks.load import _playe
from benchmarks.measure import Bench, Figure, Options, bench, here, photograph, python, timed

_PATIENCE_S = 120.0


def run(options: Options) -> list[Figure]:
    """Plain, command and folder in turn, each on a case of its own; the daemon runs warmed in another laboratory."""
    from playe_assets.cli.serve import code_server, daemon
    from playe_assets.defs.launch import open_instance

    plain, command, folder = [], [], []
    with bench() as direct, bench() as watched, here(watched):
        with open_instance():
            pass
        for number in range(options.repeats + 1):  # the first round warms the disk's cache and is not counted
            case = photograph(direct.root / f"P-{number}")
            plain.append(timed(python("-m", "benchmarks.plain", str(case), case.name), direct.env)[0])
            case = photograph(direct.root / f"C-{number}")
            command.append(timed([*_playe(), "case", "submit", str(case), "--wait", "--json"], direct.env)[0])
        logs = watched.root / "logs"
        # Apart from the rounds above, so that the daemon's ticks take no time from them.
        with code_server(logs) as workspace, daemon(logs, workspace):
            for number in range(options.repeats + 2):  # two: the daemon's own imports, then the first run's
                folder.append(_through_the_inbox(watched, f"D-{number}"))
    plain, command, folder = plain[1:], command[1:], folder[2:]
    base = sorted(plain)[len(plain) // 2]
    return [
        Figure("one photograph, plain process", plain, "s", note="python start, imports and all"),
        Figure("one photograph, playe case submit --wait", command, "s"),
        Figure(
            "what Dagster adds by command",
            [c - p for c, p in zip(command, plain, strict=True)],
            "s",
            at_most=6,
        ),
        Figure("one photograph, folder to issued report", folder, "s"),
        Figure("what folder, sensor and daemon add", [f - base for f in folder], "s", at_most=12),
    ]


def _through_the_inbox(place: Bench, name: str) -> float:
    """Seconds from the folder's appearance in the inbox to its report."""
    source = photograph(place.root / "source" / name)
    inbox = Path(place.env["PLAYE_DATA_ROOT"]) / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    time.sleep(random.random() * 5.0)  # any phase of the sensor's five seconds
    scratch = inbox / f".{name}"
    shutil.copytree(source, scratch)
    scratch.rename(inbox / name)
    began = time.monotonic()
    reports = Path(place.env["PLAYE_DATA_ROOT"]) / "cases" / name / "reports"
    while not list(reports.glob("*-R*/report.json")):
        if time.monotonic() - began > _PATIENCE_S:
            raise TimeoutError(f"no report of {name}; see {place.root / 'logs'}")
        time.sleep(0.05)
    return time.monotonic() - began
