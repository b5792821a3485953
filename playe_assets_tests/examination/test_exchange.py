"""Handing out a report: whole files or none, with their digests in the log, and only what was really issued."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from playe_assets.core.errors import CommandError, IntegrityError, MissingResourceError, PresetError
from playe_assets.examination import exchange
from playe_assets.examination.exchange import Exported, export
from playe_assets.exporters.exchange import EXCHANGES
from playe_assets.exporters.prov import ProvJson
from playe_assets_tests.laboratory import TestLaboratory

CASE = "MIXED-1"
REPORT = "MIXED-1-R01"


def hand_out(laboratory: TestLaboratory, out: Path, *formats: str, report_id: str = "") -> Exported:
    recorder = laboratory.stage(CASE).recorder
    return export(laboratory.settings, recorder, CASE, formats or ("prov",), out, report_id=report_id)


def exports(laboratory: TestLaboratory) -> list[dict]:
    return [e for e in laboratory.log(CASE) if e["event"] == "custody.exported"]


def test_files_appear_whole_and_the_log_has_the_digest_of_each(examined_copy, tmp_path):
    done = hand_out(examined_copy, tmp_path / "new" / "out", "prov", "case-uco", "prov")
    assert [f.path.name for f in done.files] == [f"{REPORT}.prov.json", f"{REPORT}.case-uco.jsonld"]
    for file in done.files:
        assert hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256
        assert json.loads(file.path.read_bytes())
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == sorted(
        f.path.name for f in done.files
    )
    started, ended = exports(examined_copy)
    assert (started["status"], ended["status"]) == ("started", "ok")
    assert ended["output_sha256"] == [f.sha256 for f in done.files]
    assert ended["params"] == {"report": REPORT, "formats": ["prov", "case-uco"]}
    assert ended["operator"]["id"] == "tester"
    folder = examined_copy.case(CASE).root / "reports" / REPORT
    assert hashlib.sha256((folder / "report.json").read_bytes()).hexdigest() in ended["input_sha256"]


def test_the_same_report_is_written_again_as_the_same_bytes(examined_copy, tmp_path):
    first = hand_out(examined_copy, tmp_path, "prov", "case-uco")
    again = hand_out(examined_copy, tmp_path, "prov", "case-uco", report_id=REPORT)
    assert first == again


def test_what_is_in_the_way_stays_and_nothing_else_is_written(examined_copy, tmp_path):
    (tmp_path / f"{REPORT}.prov.json").write_text("mine", encoding="utf-8")
    with pytest.raises(CommandError, match="exists and holds something else"):
        hand_out(examined_copy, tmp_path, "case-uco", "prov")
    assert [p.name for p in tmp_path.glob("[!c]*") if p.is_file()] == [f"{REPORT}.prov.json"]
    assert (tmp_path / f"{REPORT}.prov.json").read_text(encoding="utf-8") == "mine"
    assert exports(examined_copy)[-1]["status"] == "failed"


def test_a_report_that_was_changed_after_it_was_issued_does_not_leave(examined_copy, tmp_path):
    path = examined_copy.case(CASE).root / "reports" / REPORT / "report.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"Mixed evidence", b"Other evidence"))
    with pytest.raises(IntegrityError, match="not the file that the custody log says"):
        hand_out(examined_copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_report_or_a_format_that_does_not_exist_is_refused_and_those_there_are_are_named(
    examined_copy, tmp_path
):
    with pytest.raises(CommandError, match=REPORT):
        hand_out(examined_copy, tmp_path / "out", report_id="MIXED-1-R07")
    with pytest.raises(PresetError, match="case-uco"):
        hand_out(examined_copy, tmp_path / "out", "dublin-core")
    assert not (tmp_path / "out").exists()


def test_a_case_without_a_report_has_nothing_to_export(laboratory, tmp_path):
    from playe_assets.examination.cases import Case

    folder = laboratory.case("EMPTY-1")
    folder.write(Case("EMPTY-1", "", "", "", "", "", "", "en", "2026-01-01T00:00:00Z"))
    with pytest.raises(CommandError, match="no issued report"):
        export(laboratory.settings, laboratory.stage("EMPTY-1").recorder, "EMPTY-1", ["prov"], tmp_path / "o")


def test_a_format_that_fails_leaves_nothing_behind(examined_copy, tmp_path, monkeypatch):
    def fail(_self, _given, folder: Path) -> None:
        (folder / "half").write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ProvJson, "write", fail)
    with pytest.raises(OSError, match="No space"):
        hand_out(examined_copy, tmp_path / "out", "case-uco", "prov")
    assert list((tmp_path / "out").iterdir()) == []
    assert exports(examined_copy)[-1]["status"] == "failed"


def test_a_missing_package_is_told_before_any_work(examined_copy, tmp_path, monkeypatch):
    monkeypatch.setattr(ProvJson, "needs", ("a_package_that_is_not_there",))
    with pytest.raises(MissingResourceError, match=r"pip install 'playe\[exchange\]'"):
        hand_out(examined_copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert exports(examined_copy) == []


def test_every_registered_format_is_there_under_its_own_name():
    assert {"case-uco", "prov"} <= set(EXCHANGES.names())
    for name in EXCHANGES:
        assert EXCHANGES.get(name).name == name
        assert EXCHANGES.get(name).__doc__


def test_the_command_writes_and_prints_what_it_wrote(examined_copy, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from playe_assets.cli import playe

    monkeypatch.setenv("PLAYE_DATA_ROOT", str(examined_copy.settings.data_root))
    call = ["case", "export", CASE, "--format", "prov", "--format", "case-uco", "--out", str(tmp_path)]
    said = CliRunner().invoke(playe, call, obj={})
    assert said.exit_code == 0, said.output
    assert REPORT in said.output
    told = json.loads(CliRunner().invoke(playe, [*call, "--json"], obj={}).output)
    assert told["report"] == REPORT
    for file in told["files"]:
        assert hashlib.sha256(Path(file["path"]).read_bytes()).hexdigest() == file["sha256"]
        assert file["sha256"] in said.output
    assert exports(examined_copy)[-1]["operator"]["auth"] == "os-user"


def test_nothing_but_the_standard_library_is_needed_to_write_case_uco_and_prov():
    import subprocess
    import sys

    code = (
        "import sys; from playe_assets.exporters.exchange import EXCHANGES;"
        "[EXCHANGES.get(n) for n in ('prov', 'case-uco')];"
        "print(sorted(set(sys.modules) & {'rdflib', 'case_utils', 'prov', 'pyshacl', 'c2pa', 'cv2', 'dagster'}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
    assert exchange.check_formats(["prov"]) is None
