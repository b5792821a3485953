"""An export of a case's lines, checked by its own verifier as a stranger runs it, and every change of it found."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cryptography
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from playe_assets.core.errors import CommandError, IntegrityError
from playe_assets.custody import standalone_verifier
from playe_assets.custody.audit import audit
from playe_assets.custody.checkpoints import Checkpoints
from playe_assets.custody.export import VERIFIER, Exported, export_case, prove, verifier_source
from playe_assets.custody.merkle import consistency, included, leaf_hash, root, several
from playe_assets_tests.custody.attacks import Held, edited, honest
from playe_assets_tests.time_stamping import authority, openssl

SOURCE = Path(str(standalone_verifier.__file__))


@dataclass(frozen=True)
class Bag:
    """An export that a test may spoil, and the log that it is of."""

    folder: Path
    held: Held
    made: Exported

    def proof(self) -> dict:
        """`proof.json`."""
        return json.loads((self.folder / "proof.json").read_bytes())

    def rows(self) -> list[dict]:
        """`lines.jsonl`."""
        return [json.loads(row) for row in (self.folder / "lines.jsonl").read_bytes().split(b"\n")[:-1]]

    def put_proof(self, **changed: object) -> None:
        """Write it back with some fields changed."""
        (self.folder / "proof.json").write_text(json.dumps({**self.proof(), **changed}))

    def put_rows(self, rows: list[dict]) -> None:
        """Write them back."""
        (self.folder / "lines.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def note(self, epoch: int) -> Path:
        """The file of a checkpoint."""
        return self.folder / "checkpoints" / f"{epoch:06d}.note"


def told(folder: Path, key: str | None = None, witness: str | None = None) -> str:
    """What the verifier finds wrong, in English; empty where the export holds."""
    try:
        standalone_verifier.check(folder, key, witness, lambda _english, _russian: None)
    except standalone_verifier.DoesNotHoldError as problem:
        return str(problem.args[0])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
        return f"malformed: {problem!r}"
    return ""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Bag:
    """An honest log and an export of CASE-A. Tests must not change it."""
    root_folder = tmp_path_factory.mktemp("export")
    held = honest(root_folder / "lab", rotate_bytes=2500)
    made = export_case(held.log, held.checkpoints, "CASE-A", root_folder / "bag", single=True)
    return Bag(root_folder / "bag", held, made)


@pytest.fixture
def bag(pristine: Bag, tmp_path: Path) -> Bag:
    """A copy of it."""
    shutil.copytree(pristine.folder, tmp_path / "bag")
    return Bag(tmp_path / "bag", pristine.held, pristine.made)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the verifier of a bag where nothing but the standard library and `cryptography` can be imported."""
    packages = tmp_path_factory.mktemp("packages")
    installed = Path(cryptography.__file__).parents[1]
    for pattern in ("cryptography", "cffi", "_cffi_backend*", "pycparser"):
        for found in installed.glob(pattern):
            (packages / found.name).symlink_to(found)
    start = (f"import runpy, sys; sys.path.insert(0, {str(packages)!r}); sys.argv = sys.argv[1:];"
             "runpy.run_path(sys.argv[0], run_name='__main__')")  # fmt: skip

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-I", "-S", "-c", start, *map(str, words)], capture_output=True,
                              text=True, timeout=60, check=False, env={"PYTHONIOENCODING": "utf-8"})  # fmt: skip

    probe = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import playe_assets"], capture_output=True, check=False
    )
    assert probe.returncode == 1, "the isolation is real: our own package is not importable there"
    return run


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


def test_an_export_cannot_repaint_the_readers_screen(bag, stranger):
    bag.put_proof(case_id="X\x1b[2J\nThe export HOLDS.")
    (bag.folder / "checkpoints" / "key0.txt").write_text("log\x1b[2J+00000000+AAAA")
    for words in ((), ("--language", "ru")):
        done = stranger(bag.folder / VERIFIER, bag.folder, *words)
        assert done.returncode == 1
        assert "\x1b" not in done.stdout
        assert not any(line.startswith("The export HOLDS") for line in done.stdout.splitlines())


def _first_line_changed(bag: Bag) -> None:
    rows = bag.rows()
    rows[0]["line"] = edited(rows[0]["line"].encode(), text="another").decode()
    bag.put_rows(rows)


def _lines_exchanged(bag: Bag) -> None:
    rows = bag.rows()
    rows[0]["line"], rows[1]["line"] = (
        edited(rows[1]["line"].encode(), seq=rows[0]["seq"]).decode(),
        edited(rows[0]["line"].encode(), seq=rows[1]["seq"]).decode(),
    )
    bag.put_rows(rows)


def _line_of_another_case(bag: Bag) -> None:
    raw = next(raw for raw in bag.held.raw() if b"CASE-B" in raw)
    bag.put_rows([*bag.rows(), {"seq": json.loads(raw)["seq"], "line": raw.decode()}])


def _invented_line(bag: Bag) -> None:
    rows = bag.rows()
    line = edited(rows[-1]["line"].encode(), seq=10**6).decode()
    bag.put_rows([*rows, {"seq": 10**6, "line": line}])


def _lines_of_another_case_under_this_name(bag: Bag) -> None:
    bag.put_proof(case_id="CASE-B")


def _proof_hash_changed(bag: Bag) -> None:
    hashes = bag.proof()["hashes"]
    bag.put_proof(hashes=["00" * 32, *hashes[1:]])


def _proof_hash_dropped(bag: Bag) -> None:
    bag.put_proof(hashes=bag.proof()["hashes"][1:])


def _proof_hash_added(bag: Bag) -> None:
    bag.put_proof(hashes=[*bag.proof()["hashes"], "00" * 32])


def _checkpoint_changed(bag: Bag) -> None:
    bag.note(1).write_text(bag.note(1).read_text().replace("\nepoch 1\n", "\nepoch 2\n"))


def _root_changed(bag: Bag) -> None:
    text = bag.note(2).read_text()
    bag.note(2).write_text(text.replace(text.split("\n")[2], "A" * 43 + "="))


def _consistency_changed(bag: Bag) -> None:
    extends = bag.proof()["extends"]
    extends[0][0] = "00" * 32
    bag.put_proof(extends=extends)


def _consistency_dropped(bag: Bag) -> None:
    bag.put_proof(extends=[bag.proof()["extends"][0][1:], *bag.proof()["extends"][1:]])


def _first_key_exchanged(bag: Bag) -> None:
    next_key = re.search(r"^next (.*)$", bag.note(0).read_text(), re.MULTILINE)
    assert next_key is not None
    (bag.folder / "checkpoints" / "key0.txt").write_text(next_key[1])


SPOILT: dict[str, tuple[Callable[[Bag], object], str]] = {
    "a changed line": (_first_line_changed, "do not lead to the signed root"),
    "a dropped line": (lambda bag: bag.put_rows(bag.rows()[:-1]), "do not lead to the signed root"),
    "exchanged lines": (_lines_exchanged, "do not lead to the signed root"),
    "a doubled line": (lambda bag: bag.put_rows([*bag.rows(), bag.rows()[0]]), "is there twice"),
    "a line of another case": (_line_of_another_case, "belongs to another case"),
    "an invented line": (_invented_line, "do not lead to the signed root"),
    "another case's name": (_lines_of_another_case_under_this_name, "belongs to another case"),
    "no lines": (lambda bag: bag.put_rows([]), "malformed"),
    "a changed proof": (_proof_hash_changed, "do not lead to the signed root"),
    "a shorter proof": (_proof_hash_dropped, "do not lead to the signed root"),
    "a longer proof": (_proof_hash_added, "do not lead to the signed root"),
    "no proof": (lambda bag: (bag.folder / "proof.json").unlink(), "malformed"),
    "a changed checkpoint": (_checkpoint_changed, "checkpoint 1 is not signed by"),
    "a changed root": (_root_changed, "checkpoint 2 is not signed by"),
    "no first checkpoint": (lambda bag: bag.note(0).unlink(), "checkpoint 0 is not signed by"),
    "no middle checkpoint": (lambda bag: bag.note(1).unlink(), "checkpoint 1 is not signed by"),
    "no newest checkpoint": (lambda bag: bag.note(2).unlink(), "do not lead to the signed root"),
    "no checkpoints": (lambda bag: shutil.rmtree(bag.folder / "checkpoints"), "malformed"),
    "a changed consistency proof": (_consistency_changed, "does not extend the one before"),
    "a shorter consistency proof": (_consistency_dropped, ""),
    "an exchanged first key": (_first_key_exchanged, "checkpoint 0 is not signed by"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_an_export_with(bag, stranger, name):
    spoil, expected = SPOILT[name]
    spoil(bag)
    found = told(bag.folder)
    assert found
    assert expected in found
    done = stranger(bag.folder / VERIFIER, bag.folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert "The export DOES NOT HOLD" in done.stdout


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@seed(5)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_lines_is_found(pristine, tmp_path_factory, at, bit):
    copy = tmp_path_factory.getbasetemp() / "flipped"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(pristine.folder, copy)
    whole = bytearray((copy / "lines.jsonl").read_bytes())
    whole[int(at * (len(whole) - 1))] ^= 1 << bit
    (copy / "lines.jsonl").write_bytes(whole)
    assert told(copy) != "", (at, bit)


@settings(deadline=None, max_examples=300)
@seed(5)
@given(data=st.data(), size=st.integers(1, 70))
def test_its_own_tree_agrees_with_ours_and_refuses_forged_proofs(data, size):
    leaves = [leaf_hash(b"%d" % n) for n in range(size)]
    chosen = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    hashes = several(leaves, chosen)
    assert standalone_verifier.root_from({n: leaves[n] for n in chosen}, size, hashes) == root(leaves)
    first = data.draw(st.integers(1, size))

    def head(lines: int) -> standalone_verifier.Checkpoint:
        return standalone_verifier.Checkpoint("log", lines, root(leaves[:lines]), 0, "", "")

    proof = consistency(leaves, first)
    assert standalone_verifier.extends(head(first), head(size), proof)
    forged = [h if n else b"\0" * 32 for n, h in enumerate(proof)] if proof else [b"\0" * 32]
    assert not standalone_verifier.extends(head(first), head(size), forged)
    other = head(first)._replace(root=b"\1" * 32)
    assert not standalone_verifier.extends(other, head(size), proof)


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
        assert [f.code for f in audit(held.log, stamped).findings] == ["token_absent"]
        token.write_bytes(whole)
        monkeypatch.setattr("playe_assets.custody.checkpoints.utc_now", lambda: "2060-01-01T00:00:00.000000Z")
        held.write(1)
        stamped.make()
        ahead = held.found(tsa_roots=tsa.roots.read_bytes())
        assert [f.code for f in ahead.findings] == ["token_before"]
        assert ahead.holds
        token.write_bytes(token.read_bytes()[:-9] + b"\0" * 9)
        assert held.codes(tsa_roots=tsa.roots.read_bytes()) == ["token_refused"]
        assert held.codes() == [], "without the authority's roots it is counted, not checked"


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
