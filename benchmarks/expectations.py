"""What Great Expectations' import costs by itself, before and after pandas is there."""

from __future__ import annotations

from benchmarks.measure import Figure, Options, python, timed

_CODE = """
import os, time, warnings
os.environ["GX_ANALYTICS_ENABLED"] = "false"
warnings.simplefilter("ignore")
{first}
t = time.perf_counter()
import great_expectations
print(time.perf_counter() - t)
"""


def run(options: Options) -> list[Figure]:
    """Seconds inside fresh processes, taken in turn."""
    alone, after = [], []
    for _ in range(options.repeats):
        alone.append(float(timed(python("-c", _CODE.format(first="")))[1]))
        after.append(float(timed(python("-c", _CODE.format(first="import pandas, numpy")))[1]))
    return [
        Figure("import great_expectations", alone, "s"),
        Figure("import great_expectations, pandas there", after, "s", note="what it adds to qa_metrics"),
    ]
