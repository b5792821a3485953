"""An export of a case's lines, checked by its own verifier as a stranger runs it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from playe_assets.core.errors import CommandError, IntegrityError
from playe_assets.custody import standalone_verifier
from playe_assets.custody.audit import audit
from playe_assets.custody.checkpoints import Checkpoints
from playe_assets.custody.export import VERIFIER, export_case, prove, verifier_source
from playe_assets.custody.merkle import included, leaf_hash
from playe_assets_tests.custody.attacks import Held, edited, honest
from playe_assets_tests.custody.exports import told
from playe_assets_tests.time_stamping import authority, openssl

SOURCE = Path(str(standalone_verifier.__file__))


def test_a_stranger_runs_the_verifier_with_nothing_but_cryptography(bag, stranger, tmp_path):
    verifier = bag.folder / VERIFIER
    done = stranger(verifier, bag.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "The export HOLDS."
    for word in (
        "20 lines of case CASE-A",
        "compare it",
        "No checkpoint from elsewhere",
        "Not checked: are these ALL",
    ):
        assert word in done.stdout, done.stdout
    key = bag.held.checkpoints.key0()
    (tmp_path / "kept.note").write_text(bag.held.notes[0].read_text())
    done = stranger(
        verifier, bag.folder, "--key", key, "--checkpoint", tmp_path / "kept.note", "--language", "ru"
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "Выгрузка ПОДТВЕРЖДЕНА."
    assert "Первый ключ — тот" in done.stdout
    assert "Ваша точка — № 0" in done.stdout
    bag.put_rows(bag.rows()[1:])
    done = stranger(verifier, bag.folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert "DOES NOT HOLD: its 19 lines do not lead to the signed root" in done.stdout


def test_the_verifier_is_one_short_file_that_imports_nothing_of_ours(bag):
    source = (bag.folder / VERIFIER).read_text(encoding="utf-8")
    assert source == SOURCE.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 250
    imported = set()
    for part in ast.walk(ast.parse(source)):
        if isinstance(part, ast.Import):
            imported |= {name.name.partition(".")[0] for name in part.names}
        elif isinstance(part, ast.ImportFrom):
            imported.add(str(part.module).partition(".")[0])
    assert imported - sys.stdlib_module_names == {"cryptography"}
    assert verifier_source() == SOURCE.read_bytes()


def test_an_export_holds_every_line_of_the_case_under_its_checkpoint_and_no_other(bag):
    size = bag.made.checkpoint.checkpoint.size
    ours = [raw.decode() for raw in bag.held.raw()[:size] if b'"case_id":"CASE-A"' in raw]
    assert [row["line"] for row in bag.rows()] == ours
    assert "CASE-B" not in "".join(p.read_text() for p in bag.folder.rglob("*.*") if p.suffix != ".py")
    proof = bag.proof()
    assert (proof["case_id"], proof["size"], proof["lines"]) == ("CASE-A", size, len(ours))
    for row in bag.rows():
        hashes = [bytes.fromhex(h) for h in proof["inclusion"][str(row["seq"])]]
        leaf = leaf_hash(row["line"].encode())
        assert included(leaf, row["seq"], size, hashes, bytes.fromhex(proof["root"]))
    assert told(bag.folder) == ""


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_terminal_that_cannot_show_its_words_changes_no_verdict(bag, language):
    done = subprocess.run(
        [sys.executable, bag.folder / VERIFIER, bag.folder, "--language", language],
        capture_output=True, check=False, env={"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_checkpoint_kept_elsewhere_is_held_against_the_export(bag, tmp_path):
    kept = [path.read_text() for path in bag.held.notes]
    assert [told(bag.folder, None, note) for note in kept[:3]] == [""] * 3
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"sections": {"custody": {"checkpoint": {"note": kept[1]}}}}))
    assert told(bag.folder, None, standalone_verifier.note_in(str(report))) == ""
    assert told(bag.folder, bag.held.checkpoints.key0()) == ""
    assert "its first key is" in told(bag.folder, "other+00000000+AAAA")


def test_an_export_of_a_log_that_was_rolled_back_or_forked_is_found_with_a_checkpoint_from_elsewhere(
    tmp_path,
):
    held = honest(tmp_path / "lab")
    older = held.copy("older")
    held.write(4)
    witness = held.sign()
    held.write(2)
    later = held.sign()
    stranger_log = honest(tmp_path / "stranger")
    held.restore(older)
    rolled = export_case(held.log, held.checkpoints, "CASE-A", tmp_path / "rolled")
    assert told(rolled.folder) == "", "an export of an older copy is as good as it was then"
    assert "two logs" in told(rolled.folder, None, witness)
    assert "newer than its" in told(rolled.folder, None, later)
    assert "is of another log" in told(rolled.folder, None, stranger_log.notes[1].read_text())
    held.write(1)
    held.sign()
    again = export_case(held.log, held.checkpoints, "CASE-B", tmp_path / "again")
    assert "is of another log" in told(again.folder, None, later), (
        "after a fork each side has keys of its own"
    )


def test_an_altered_log_is_not_exported(tmp_path):
    held = honest(tmp_path / "lab")
    lines = held.raw()
    held.put_chained([*lines[:5], edited(lines[5], text="x"), *lines[6:]])
    with pytest.raises(IntegrityError):
        export_case(held.log, held.checkpoints, "CASE-A", tmp_path / "bag")
    assert not (tmp_path / "bag").exists()


def test_an_export_needs_a_case_that_is_there_and_a_folder_that_is_not(tmp_path):
    held = honest(tmp_path / "lab")
    with pytest.raises(CommandError, match="NO-CASE"):
        export_case(held.log, held.checkpoints, "NO-CASE", tmp_path / "bag")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(CommandError, match="not empty"):
        export_case(held.log, held.checkpoints, "CASE-A", tmp_path / "used")
    (tmp_path / "empty").mkdir()
    assert told(export_case(held.log, held.checkpoints, "CASE-A", tmp_path / "empty").folder) == ""


def test_a_proof_of_one_line_is_checked_before_it_is_given_out(tmp_path):
    held = honest(tmp_path / "lab")
    for epoch in (0, 1, None):
        found = prove(held.log, held.checkpoints, 3, epoch)
        assert found["epoch"] == (1 if epoch is None else epoch)
        assert found["line"].encode() == held.raw()[3]
        hashes = [bytes.fromhex(h) for h in found["proof"]]
        assert included(bytes.fromhex(found["leaf"]), 3, found["size"], hashes, bytes.fromhex(found["root"]))
        assert standalone_verifier.is_signed(
            found["note"], [found["key0"], *_announced(held)][found["epoch"]]
        )
    for seq, epoch, message in ((27, None, "no line 27"), (12, 0, "no line 12"), (3, 9, "no checkpoint 9")):
        with pytest.raises(CommandError, match=message):
            prove(held.log, held.checkpoints, seq, epoch)
    lines = held.raw()
    held.put([*lines[:3], edited(lines[3], text="x"), *lines[4:]])
    with pytest.raises(IntegrityError):
        prove(held.log, held.checkpoints, 3)
    empty = Held(tmp_path / "empty")
    empty.write(1)
    with pytest.raises(CommandError, match="playe audit checkpoint"):
        prove(empty.log, empty.checkpoints, 0)


def _announced(held: Held) -> list[str]:
    return [kept.checkpoint.next_key for kept in held.checkpoints.all()]


def test_time_stamps_travel_with_the_export_and_its_readme_tells_how_to_check_them(tmp_path, monkeypatch):
    with authority(tmp_path) as tsa:
        held = Held(tmp_path / "lab")
        held.write(3)
        stamped = Checkpoints(held.log, held.folder / "checkpoints", tsa_url=tsa.url)
        made = export_case(held.log, stamped, "CASE-A", tmp_path / "bag")
        shutil.copy(tsa.roots, made.folder / "roots.pem")
        assert held.found(tsa_roots=tsa.roots.read_bytes()).tokens_checked == 1
        assert held.codes(tsa_roots=tsa.roots.read_bytes()) == []
        token = held.folder / "checkpoints" / "000000.tsr"
        readme = (made.folder / "README.txt").read_text(encoding="utf-8")
        commands = re.findall(r"^ +openssl (ts .*)$", readme, re.MULTILINE)
        assert len(commands) == 2, "one in English, one in Russian"
        for command in commands:
            words = [str(made.folder / w) if "/" in w or w == "roots.pem" else w for w in command.split()]
            openssl(*words)
        assert [f.code for f in audit(held.log, stamped).findings] == []
        whole = token.read_bytes()
        token.unlink()
        assert [f.code for f in audit(held.log, stamped).findings] == ["token_removed"]
        assert held.codes() == ["token_removed"], "whether or not an authority is set"
        token.write_bytes(whole + b"\0")
        assert held.codes() == ["token_exchanged"]
        token.write_bytes(whole)
        monkeypatch.setattr("playe_assets.custody.checkpoints.utc_now", lambda: "2060-01-01T00:00:00.000000Z")
        held.write(1)
        stamped.make()
        ahead = held.found(tsa_roots=tsa.roots.read_bytes())
        assert [f.code for f in ahead.findings] == ["token_before"]
        assert ahead.holds
        token.write_bytes(token.read_bytes()[:-9] + b"\0" * 9)
        assert held.codes(tsa_roots=tsa.roots.read_bytes()) == ["token_exchanged", "token_refused"]


def test_the_readme_of_an_export_names_files_that_are_there_and_commands_that_run(bag, stranger):
    readme = (bag.folder / "README.txt").read_text(encoding="utf-8")
    assert "{" not in readme
    named = re.findall(r"^ {4,}([\w/.*]+\.(?:jsonl|json|note|txt))\s", readme, re.MULTILINE)
    assert len(named) >= 8
    for pattern in named:
        assert list(bag.folder.glob(pattern)), pattern
    runs = re.findall(r"^ +python (verify_custody\.py \.[^\"]*?)(?:  |$)", readme, re.MULTILINE)
    assert any("--language ru" in words for words in runs)
    for words in runs:
        told_ = stranger(*(str(bag.folder / w) if w in (VERIFIER, ".") else w for w in words.split()[:4]))
        assert "report.json" in words or told_.returncode == 0, told_
