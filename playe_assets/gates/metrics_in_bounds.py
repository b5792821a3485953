"""The metrics lie inside the preset's thresholds: a Great Expectations suite over the metrics table.

The suite `quality/suites/metrics_table.json` says what every table must be; the preset's thresholds become
further expectations. Great Expectations takes seconds to import, so it is imported here and nowhere else.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any, ClassVar

from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.errors import IntegrityError
from playe_assets.core.presets import Threshold
from playe_assets.core.values import MediaKind, Verdict

_OVER_TIME = ("warped_error_", "luma_flicker_")
"""Columns that need two frames of one shot."""
_ELSEWHERE = ("_reference", "identity_distance")
"""How columns end whose absence says nothing: there is no reference; the gate `identity` judges the face."""


class MetricsInBounds(Gate):
    """One verdict a threshold and derivative, `on_fail` from the preset; and one for the table's form.

    Of a clip a column with a threshold but without a value is a warning, whatever `on_fail` says: nothing was judged,
    and the report says so instead of being silent.
    """

    name: ClassVar[str] = "metrics_in_bounds"
    stage: ClassVar[str] = "qa_metrics"
    kind: ClassVar[str] = "quality"
    description: ClassVar[str] = "Metrics inside the preset's thresholds (Great Expectations)."

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """Judge `evidence.metrics` by `evidence.thresholds`."""
        if evidence.metrics is None:
            return [Verdict(self.name, self.kind, False, observed="no manifest of metrics")]
        rows = [dict(row) for row in evidence.metrics.rows]
        if not rows:
            return [Verdict(self.name, self.kind, True, expectation="no derivative was made")]
        validator = _Validator()
        verdicts = [self._form(validator, rows, evidence.suites)]
        for threshold in evidence.thresholds:
            verdicts += self._bounds(validator, rows, threshold)
            verdicts += self._not_judged(evidence, rows, threshold)
        return verdicts

    def _form(self, validator: _Validator, rows: list[dict[str, Any]], suites: Path) -> Verdict:
        suite = json.loads((suites / "metrics_table.json").read_text(encoding="utf-8"))
        failed = [
            f"{name}({', '.join(map(str, kwargs.values()))})"
            for name, kwargs in ((e["type"], e["kwargs"]) for e in suite["expectations"])
            if not validator.run(rows, name, kwargs)["success"]
        ]
        return Verdict(self.name, self.kind, not failed, expectation=suite["name"],
                       observed=", ".join(failed) or "holds", allowed="every expectation")  # fmt: skip

    def _bounds(
        self, validator: _Validator, rows: list[dict[str, Any]], threshold: Threshold
    ) -> list[Verdict]:
        chosen = [r for r in rows if threshold.media is None or r["media"] == threshold.media.value]
        chosen = [r for r in chosen if r.get(threshold.column) is not None]  # cannot apply: no reference
        if not chosen:
            return []
        kwargs = {"column": threshold.column, "min_value": threshold.low, "max_value": threshold.high}
        result = validator.run(chosen, "expect_column_values_to_be_between", kwargs)
        outside = {int(i) for i in result["result"].get("unexpected_index_list") or ()}
        if not result["success"] and not outside:
            # It did not judge (an exception inside it is answered like this): never read as passed.
            raise IntegrityError("gate.no_answer", gate=self.name, column=threshold.column)
        return [
            Verdict(self.name, self.kind, index not in outside, row["exhibit"], row["derivative"],
                    threshold.column, f"{row[threshold.column]:.6g}", _allowed(threshold), threshold.on_fail)
            for index, row in enumerate(chosen)
        ]  # fmt: skip

    def _not_judged(
        self, evidence: Evidence, rows: list[dict[str, Any]], threshold: Threshold
    ) -> list[Verdict]:
        column = threshold.column
        if threshold.media is MediaKind.PHOTO or column.endswith(_ELSEWHERE):
            return []
        return [
            Verdict(self.name, self.kind, False, row["exhibit"], row["derivative"], column,
                    _why_not(evidence, row, column), _allowed(threshold), "warn")
            for row in rows
            if row["media"] == MediaKind.CLIP.value and row.get(column) is None
        ]  # fmt: skip


def _allowed(threshold: Threshold) -> str:
    low, high = ("-" if bound is None else f"{bound:g}" for bound in (threshold.low, threshold.high))
    return f"{low} .. {high}"


def _why_not(evidence: Evidence, row: dict[str, Any], column: str) -> str:
    """Why a clip has no value in a column, as far as the manifests tell it."""
    if column.startswith(_OVER_TIME):
        found = evidence.detections.get(row["exhibit"])
        shots = found.shots if found is not None else ()
        alone = bool(shots) and all(s.first_frame == s.last_frame for s in shots)
        if row["frames_compared"] < 2 or alone:
            return "not judged: too few frames to judge, no two follow each other in one shot"
        entries = evidence.enhanced.entries if evidence.enhanced else ()
        steps = [s for e in entries if e.exhibit == row["exhibit"] for s in e.steps]
        if any(s.measured.get("frames_moved", 0.0) > 0 for s in steps):
            return (
                "not judged: a step moved the picture, so the clip changes along other paths than its source"
            )
        return "not judged: no two neighbouring frames could be compared (too small, too unlike, or a cut between them)"
    return "not judged: measured in no frame"


class _Validator:
    """Great Expectations over a list of rows, without a project folder and without telemetry."""

    def __init__(self) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own and its dependencies' deprecations at import
            import great_expectations as gx
            from great_expectations.data_context.types.base import ProgressBarsConfig

            self._gx = gx
            context = gx.get_context(mode="ephemeral")
            context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_pandas("metrics")
        self._batch = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("all")

    def run(self, rows: list[dict[str, Any]], name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The result of one expectation, with the indices of the rows that it did not expect."""
        import pandas as pd

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = self._batch.get_batch(batch_parameters={"dataframe": pd.DataFrame(rows)})
            cls = getattr(self._gx.expectations, "".join(part.title() for part in name.split("_")))
            given = {k: v for k, v in kwargs.items() if v is not None}
            result = batch.validate(cls(**given), result_format="COMPLETE")
            found: dict[str, Any] = result.to_json_dict()
        return found
