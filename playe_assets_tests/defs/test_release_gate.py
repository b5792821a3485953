"""`require_case_uco`: a report is issued only with a valid CASE/UCO export; a planted break withholds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from playe_assets.core.errors import MissingResourceError
from playe_assets.examination import release
from playe_assets.examination.judge import gates_of
from playe_assets.exporters import case_uco
from playe_assets_tests.conftest import Examined
from playe_assets_tests.laboratory import TestLaboratory, examine, failures, write_case

pytest.importorskip("case_utils", reason="the extra `exchange` is not installed")
pytest.importorskip("case_prov", reason="the extra `exchange` is not installed")


@pytest.fixture
def asking(laboratory: TestLaboratory) -> TestLaboratory:
    """A laboratory that releases no report without a valid CASE/UCO export."""
    root = laboratory.settings.data_root
    root.mkdir(parents=True)
    (root / "laboratory.yaml").write_text("require_case_uco: true\n", encoding="utf-8")
    assert laboratory.settings.require_case_uco
    return laboratory


def judged(laboratory: TestLaboratory, case_id: str) -> list[dict]:
    return [
        e for e in laboratory.log(case_id) if e["event"] == "processing.gate" and e["step"] == release.GATE
    ]


def test_a_valid_export_lets_the_report_through_and_the_log_says_so(asking, instance, tmp_path: Path):
    result = examine(instance, "SMALL-1", write_case(tmp_path / "in", "SMALL-1"))
    assert result.success, failures(result)
    assert len(asking.reports("SMALL-1")) == 1
    started, ended = judged(asking, "SMALL-1")
    assert (started["status"], ended["status"]) == ("started", "ok")
    assert [c["passed"] for c in ended["checks"]] == [True]
    assert ended["params"]["ontology"] == "case-1.4.0"


def test_a_planted_break_withholds_the_report_with_a_notice(asking, instance, tmp_path: Path, monkeypatch):
    honest = case_uco.case_uco_bytes

    def without_methods(graph) -> bytes:
        return honest(graph).replace(b'"uco-types:hashMethod": "SHA256",', b"")

    monkeypatch.setattr(case_uco, "case_uco_bytes", without_methods)
    result = examine(instance, "SMALL-1", write_case(tmp_path / "in", "SMALL-1"))
    assert not result.success
    assert any("case_uco refused forensic_report" in why for why in failures(result).values()), failures(
        result
    )
    assert asking.reports("SMALL-1") == []
    notice = asking.notices("SMALL-1")[0]
    assert {v["gate"] for v in notice["verdicts"]} == {release.GATE}
    assert "hashMethod" in notice["verdicts"][0]["observed"]
    assert judged(asking, "SMALL-1")[-1]["metrics"]["problems"] > 1


def test_a_missing_extra_is_told_before_anything_is_taken_in(asking, instance, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(release.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingResourceError, match="require_case_uco"):
        release.check_release(asking.settings)
    result = examine(instance, "SMALL-1", write_case(tmp_path / "in", "SMALL-1"))
    assert not result.success
    assert any("require_case_uco" in why for why in failures(result).values())
    objects = asking.case("SMALL-1").root / "objects"
    assert not list(objects.rglob("*")) if objects.exists() else True


def test_a_laboratory_that_does_not_ask_is_not_judged_and_no_check_claims_it(examined: Examined):
    assert judged(examined.laboratory, examined.case_id) == []
    assert release.GATE not in gates_of("forensic_report")
