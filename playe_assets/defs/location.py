"""Everything that the code location shows, in one list."""

from __future__ import annotations

import dagster as dg

from playe_assets.defs.case_assets import CASE_ASSETS
from playe_assets.defs.executors import local
from playe_assets.defs.jobs import examine_case
from playe_assets.defs.resources import Laboratory
from playe_assets.defs.sensors import evidence_drop, failed_examination

defs = dg.Definitions(
    assets=CASE_ASSETS,
    jobs=[examine_case],
    sensors=[evidence_drop, failed_examination],
    resources={"laboratory": Laboratory()},
    executor=local,
)
