"""The five-asset job on one tiny case under three executors: in process, forkserver with preload, spawn.

`python -m benchmarks.executors HOW FOLDER CASE` runs one of them and prints the seconds of the job itself.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Options, bench, photograph, python, timed

_HOW = ("in_process", "forkserver", "forkserver_bare", "spawn")


def run(options: Options) -> list[Figure]:
    """The ways in turn, each on a case of its own."""
    found: dict[str, list[float]] = {how: [] for how in _HOW}
    with bench() as place:
        for number in range(options.repeats + 1):  # the first round makes the storage and is not counted
            for how in _HOW:
                case = photograph(place.root / f"{how.replace('_', '-')}-{number}")
                _, said = timed(python("-m", "benchmarks.executors", how, str(case), case.name), place.env)
                found[how].append(float(said.split()[-1]))
    return [
        Figure("five assets, in the run's process", found["in_process"][1:], "s"),
        Figure("five assets, forkserver with preload (ours)", found["forkserver"][1:], "s"),
        Figure("five assets, forkserver without preload", found["forkserver_bare"][1:], "s"),
        Figure("five assets, spawn (Dagster's default)", found["spawn"][1:], "s"),
    ]


def job() -> Any:
    """The project's own job; `local` is its executor."""
    from playe_assets.definitions import defs

    return defs.resolve_job_def("examine_case")


def stock_job() -> Any:
    """The same job under Dagster's own multiprocess executor, whose start method is configured."""
    import dagster as dg

    from playe_assets.defs.case_assets import CASE_ASSETS
    from playe_assets.defs.resources import Laboratory

    selection = dg.AssetSelection.groups("case")
    stock = dg.define_asset_job("examine_case", selection=selection, executor_def=dg.multiprocess_executor)
    found = dg.Definitions(assets=CASE_ASSETS, jobs=[stock], resources={"laboratory": Laboratory()})
    return found.resolve_job_def("examine_case")


def _configured(how: str) -> tuple[Any, dict[str, Any]]:
    if how == "in_process":
        return job, {"in_process": True}
    if how == "forkserver":
        return job, {}
    if how == "forkserver_bare":  # an empty list: Dagster would preload our definitions by itself
        return stock_job, {"max_concurrent": 2, "start_method": {"forkserver": {"preload_modules": []}}}
    return stock_job, {"max_concurrent": 2, "start_method": {"spawn": {}}}


def _one(how: str, folder: Path, case_id: str) -> float:
    import dagster as dg

    from benchmarks import executors
    from playe_assets.defs.launch import open_instance

    chosen, config = _configured(how)
    tags = {"dagster/partition": case_id, "playe/delivery": str(folder), "playe/in_place": "true"}
    with open_instance() as instance:
        instance.add_dynamic_partitions("cases", [case_id])
        began = time.perf_counter()
        done = dg.execute_job(
            dg.reconstructable(getattr(executors, chosen.__name__)),
            instance=instance,
            tags=tags,
            run_config={
                "execution": {"config": config},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
        seconds = time.perf_counter() - began
        failed = [f"{e.step_key}: {e.step_failure_data.user_failure_data or e.message}"
                  for e in done.all_events if e.is_step_failure]  # fmt: skip
    if not done.success:
        raise RuntimeError(f"{how}: {failed}")
    return seconds


if __name__ == "__main__":
    print(_one(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
