"""Where a step runs: said here and nowhere else. An asset names a pool and a queue, never an executor.

`local`: a process a step out of a forkserver that has imported storage and definitions before
(docs/adr/0002 has the measurement), or all in the caller's process (`in_process: true`, which
`playe case submit --wait` uses). Redis and Celery workers become another executor of this module.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.base import Executor
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.executor.multiprocess import MultiprocessExecutor

PRELOAD = ["playe_assets.defs.preload"]


@dg.executor(
    name="local",
    config_schema={
        "in_process": dg.Field(
            bool, default_value=False, description="Run every step in the run's own process."
        ),
        "max_concurrent": dg.Field(int, default_value=2, description="Processes at a time."),
    },
    requirements=[],
)
def local(init_context: dg.InitExecutorContext) -> Executor:
    """The executor of a single machine."""
    config: Any = init_context.executor_config
    if config["in_process"]:
        return InProcessExecutor(retries=RetryMode.ENABLED)
    return MultiprocessExecutor(
        max_concurrent=config["max_concurrent"],
        retries=RetryMode.ENABLED,
        start_method="forkserver",
        explicit_forkserver_preload=PRELOAD,
    )


def queue(pool: str) -> dict[str, str]:
    """The tags of an op that works in `pool`: workers listen on the queue of the same name."""
    return {"playe/queue": pool, "dagster-celery/queue": pool}
