"""`python -m benchmarks [NAME ...] [--long] [--repeats N]`: measure, print the table, keep it as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import time

from benchmarks.measure import OUT, Figure, Options

# Quick ones first; `--long` makes `memory` take hours instead of minutes.
NAMES = (
    "load", "expectations", "steps", "acquisition", "executors", "orchestration",
    "custody", "memory", "inference", "enhance_stage", "mapped", "video", "track_fusion", "crash",
)  # fmt: skip
ASKED = ("crash",)
"""Takes a quarter of an hour, so only when it is named."""


def main() -> None:
    """Measure what was named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    said = f"of {', '.join(NAMES)}; default: all but {', '.join(ASKED)}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=said)
    parser.add_argument("--long", action="store_true", help="36,000 frames and 60 s of 1080p in `memory`")
    parser.add_argument("--repeats", type=int, default=5, help="measurements a figure (5)")
    parser.add_argument("--kills", type=int, default=50, help="kills in `crash` (50)")
    parser.add_argument("--seconds", type=float, default=180.0, help="length of the clip of `crash` (180)")
    given = parser.parse_args()
    unknown = set(given.names) - set(NAMES)
    if unknown:
        parser.error(f"no figure is called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    options = Options(given.repeats, given.long, given.kills, given.seconds)
    results = []
    for name in given.names or [n for n in NAMES if n not in ASKED]:
        before = os.getloadavg()[0]
        began = time.monotonic()
        figures = importlib.import_module(f"benchmarks.{name}").run(options)
        load = (round(before, 1), round(os.getloadavg()[0], 1))
        _show(name, figures, time.monotonic() - began, load)
        results.append({"name": name, "load_before_after": load, "figures": [f.plain() for f in figures]})
        _keep(results)


def _show(name: str, figures: list[Figure], seconds: float, load: tuple[float, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    title = (
        f"{name} ({seconds:.0f} s; load average {load[0]} before, {load[1]} after, {os.cpu_count()} cores)"
    )
    table = Table(
        "figure", "median (min - max)", "asked", "verdict", "n", "note", title=title, title_justify="left"
    )
    for f in figures:
        colour = {"holds": "green", "missed": "red"}.get(f.verdict, "")
        said = f"[{colour}]{f.verdict}[/]" if colour else f.verdict
        spread = f"{f.median:.3g} ({min(f.values):.3g} - {max(f.values):.3g}) {f.unit}"
        table.add_row(f.name, spread, f.asked, said, str(len(f.values)), f.note)
    width = None if Console().is_terminal else 150
    Console(width=width).print(table)


def _keep(results: list[dict[str, object]]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    text = json.dumps({"schema": "playe-bench/1", "machine": machine, "results": results}, indent=2)
    (OUT / "results.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
