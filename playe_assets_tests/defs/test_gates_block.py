"""A gate that refuses stops the run, and every later run that would go round it."""

from __future__ import annotations

import pytest

from playe_assets_tests.laboratory import examine, failures, materialized


@pytest.mark.parametrize("asset", ["detections", "qa_metrics", "forensic_report"])
def test_an_asset_whose_upstream_was_never_made_says_so(laboratory, instance, asset):
    result = examine(instance, "NEVER-1", None, select=[asset])
    assert not result.success
    assert materialized(result) == []
    said = failures(result)
    assert list(said) == [asset], "refused at once, not retried"
    assert "ingested_media of case NEVER-1 was never made. Materialize it first" in said[asset]
