"""The report's own gate is asked before anything is issued."""

from __future__ import annotations

from playe_assets.core.values import Verdict
from playe_assets.examination.case_file import read_case_file
from playe_assets.gates.report_consistent import ReportConsistent
from playe_assets_tests.laboratory import examine, failures


def test_a_report_that_its_own_gate_refuses_is_never_issued(monkeypatch, laboratory, instance, small_case):
    def refuse(self, evidence):
        return [Verdict(self.name, self.kind, False, expectation="findings digest", observed="planted")]

    monkeypatch.setattr(ReportConsistent, "judge", refuse)
    case = read_case_file(small_case).case_id
    result = examine(instance, case, small_case)

    assert not result.success
    assert "report_consistent" in failures(result)["forensic_report"]
    assert not laboratory.reports(case), "an integrity failure withholds the report"
    assert len(laboratory.notices(case)) == 1
    events = {entry["event"] for entry in laboratory.log(case)}
    assert "custody.report_withheld" in events
    assert "custody.report_issued" not in events
