"""How long the code location and the command line take to load, beside Dagster alone."""

from __future__ import annotations

from benchmarks.measure import Figure, Options, processor_seconds, python, timed

_INSIDE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def run(options: Options) -> list[Figure]:
    """Whole processes and seconds inside them, taken in turn."""
    found: dict[str, list[float]] = {
        k: [] for k in ("bare", "dagster", "ours", "ours in", "dagster in", "ours cpu", "dagster cpu", "help")
    }
    for _ in range(max(options.repeats, 7)):
        found["bare"].append(timed(python("-c", "pass"))[0])
        found["dagster"].append(timed(python("-c", "import dagster"))[0])
        found["ours"].append(timed(python("-c", "import playe_assets.definitions"))[0])
        found["dagster in"].append(float(timed(python("-c", _INSIDE.format("dagster")))[1]))
        found["ours in"].append(float(timed(python("-c", _INSIDE.format("playe_assets.definitions")))[1]))
        found["dagster cpu"].append(processor_seconds(python("-c", "import dagster")))
        found["ours cpu"].append(processor_seconds(python("-c", "import playe_assets.definitions")))
        found["help"].append(timed([*_playe(), "--help"])[0])
    own = [a - b for a, b in zip(found["ours in"], found["dagster in"], strict=True)]
    return [
        Figure("code location, whole process", found["ours"], "s", at_most=1.5),
        Figure("code location, the import itself", found["ours in"], "s", at_most=1.5),
        Figure("import dagster alone, whole process", found["dagster"], "s"),
        Figure(
            "code location, processor time", found["ours cpu"], "s", note="less swayed by what runs beside"
        ),
        Figure("import dagster alone, processor time", found["dagster cpu"], "s"),
        Figure("of the import, ours", own, "s", note="the difference of the two imports in one round"),
        Figure("playe --help, whole process", found["help"], "s", at_most=0.3),
        Figure("an empty Python process", found["bare"], "s"),
    ]


def _playe() -> list[str]:
    import sys
    from pathlib import Path

    return [str(Path(sys.executable).with_name("playe"))]
