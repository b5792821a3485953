"""The laboratory as a typed resource: where data lies, how much is audited; and a stage's surroundings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import Field

from playe_assets.custody.record import Activity, Operation, Operator, Recorder
from playe_assets.defs.partitions import TAG_OPERATOR, TAG_OPERATOR_AUTH, TAG_REQUEST
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.settings import Settings, load_settings
from playe_assets.examination.stage import Stage, Words, in_language

WATCHERS: list[Callable[[str, str | Words, int, int], None]] = []
"""Called with (asset, what, done, total): the CLI's progress bars, where the run is in its own process.

What is done comes as `Words`, because the CLI's user may have chosen another language than the laboratory."""
NOBODY = Operator("unknown", "operator", "none")
"""Who launched something, where nothing says it."""
_LOG_EVERY_S = 5.0
_LOG_SHARE, _LOG_AT_LEAST_S = 0.02, 60.0
"""The run's log is a database that is never pruned: a line every 5 s, but no more than one for 2 % or a minute."""


class Laboratory(dg.ConfigurableResource):
    """Empty fields take the environment's value, then `laboratory.yaml`'s, then the default."""

    data_root: str = Field(
        default="", description="Cases, weights, log. Default: models-data in the project."
    )
    inbox: str = Field(default="", description="The watched folder. Default: inbox in the data root.")
    audit: str = Field(default="", description="off (no log, no report), basic, full (default).")
    language: str = Field(default="", description="en or ru, where a case does not say.")
    threads: int | None = Field(default=None, description="Threads of OpenCV; 0: all. Never changes a pixel.")
    runtime: str = Field(default="", description="openvino (default), onnxruntime or torch; no fallback.")
    device: str = Field(default="", description="Where learned models run: cpu (default), cuda:0 ...")
    provider: str = Field(default="", description="ONNX Runtime's provider: cpu, cuda, tensorrt.")
    precision: str = Field(default="", description="fp32 (default), fp16, bf16; certified each for itself.")
    inline_previews: bool | None = Field(
        default=None, description="Thumbnails in Dagster's event log, where they outlive an erased case."
    )

    def settings(self) -> Settings:
        """The settings in force."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return load_settings({k: v for k, v in given.items() if v is not None})

    @contextmanager
    def stage(self, context: dg.AssetExecutionContext) -> Iterator[tuple[Stage, Operation]]:
        """The surroundings of this asset's work on its partition, and the record of one attempt at it.

        The record names the manifests that the stage read and wrote; a retry has a record of its own.
        """
        stage = self._stage(context)
        params = {"retry": context.retry_number}
        with stage.recorder.record(
            "processing.stage", step=context.asset_key.to_user_string(), params=params
        ) as work:
            yield stage, work

    def _stage(self, context: dg.AssetExecutionContext) -> Stage:
        settings = self.settings()
        tags = context.run.tags
        case_id = context.partition_key
        folder = CaseFolder(settings, case_id)
        asset = context.asset_key.to_user_string()
        recorder = Recorder(
            settings.log,
            request_id=tags.get(TAG_REQUEST, context.run.run_id),
            case_id=case_id,
            operator=operator_of(tags),
            activity=Activity(asset, case_id, context.run.run_id, asset),  # one op an asset: the step has its name
            audit=settings.audit,
        )  # fmt: skip

        said = _Said()

        def progress(what: str | Words, done: int, total: int) -> None:
            for watcher in WATCHERS:
                watcher(asset, what, done, total)
            if said.due(time.monotonic(), done, total):
                context.log.info(f"{done}/{total} {in_language(what, settings.language)}".rstrip())

        return Stage(settings, folder, recorder, progress)


class _Said:
    """When a stage last said in the run's log how far it is."""

    def __init__(self) -> None:
        self._at, self._done = float("-inf"), 0

    def due(self, now: float, done: int, total: int) -> bool:
        """Whether another line is worth its place; the last one always is."""
        waited = now - self._at
        moved = done < self._done or done - self._done >= _LOG_SHARE * total
        if done < total and (waited < _LOG_EVERY_S or not (moved or waited >= _LOG_AT_LEAST_S)):
            return False
        self._at, self._done = now, done
        return True


def operator_of(tags: Any) -> Operator:
    """Who launched the run, from its tags; a launch in the UI without the tag is `unknown`."""
    name = tags.get(TAG_OPERATOR)
    if name:
        return Operator(name, "operator", tags.get(TAG_OPERATOR_AUTH, "dagster-tag"))
    return NOBODY
