"""The one job: a case from intake to report."""

from __future__ import annotations

import dagster as dg

from playe_assets.defs.executors import local

examine_case = dg.define_asset_job(
    "examine_case",
    selection=dg.AssetSelection.groups("case"),
    executor_def=local,
    description="Examine one case: intake, detection, enhancement, metrics, report.",
    # A killed run must not resume inside an asset with parts missing (shared findings on mapped ops).
    tags={"dagster/retry_strategy": "FROM_ASSET_FAILURE", "dagster/max_retries": "0"},
)
