"""What a downstream asset asks before it works: the upstream manifest, and whether its gates let it through.

In one run Dagster stops behind a failed blocking check; a second run that selects only a downstream asset
would pass. So every asset asks here. The only place that uses Dagster's internal check history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from playe_assets.core.errors import GateRefusedError
from playe_assets.examination.judge import gates_of


@dataclass(frozen=True)
class Upstream:
    """The latest materialization of an asset for this partition, as far as downstream needs it."""

    manifest: str
    verdicts: str
    """sha256 of the stored verdicts."""


def require(context: dg.AssetExecutionContext, asset: str) -> Upstream:
    """The upstream manifest of this partition, its gates passed.

    Raises:
        GateRefusedError: never materialized, never judged, judged another materialization, or refused.
    """
    case = context.partition_key
    records = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[case]), limit=1
    ).records
    if not records or records[0].asset_materialization is None:
        raise GateRefusedError("gate.not_materialized", asset=asset, case=case)
    metadata = records[0].asset_materialization.metadata
    manifest = str(metadata["manifest_sha256"].value)
    for gate in gates_of(asset):
        _ask(context.instance, asset, gate, case, manifest)
    return Upstream(manifest, str(metadata["verdicts_sha256"].value))


def _ask(instance: dg.DagsterInstance, asset: str, gate: str, case: str, manifest: str) -> None:
    key = dg.AssetCheckKey(dg.AssetKey(asset), gate)
    history: Any = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=1, partition_filter=PartitionKeyFilter(key=case)
    )
    evaluation = history[0].event.asset_check_evaluation if history and history[0].event else None
    if evaluation is None:
        raise GateRefusedError("gate.not_judged", gate=gate, asset=asset, case=case)
    if str(evaluation.metadata["manifest_sha256"].value) != manifest:
        raise GateRefusedError("gate.judged_another", gate=gate, asset=asset, case=case)
    failed = history[0].status != AssetCheckExecutionRecordStatus.SUCCEEDED
    if failed and evaluation.severity == dg.AssetCheckSeverity.ERROR:
        raise GateRefusedError("gate.refused", gate=gate, asset=asset, case=case)
