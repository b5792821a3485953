"""Checks an export of a PLAYE custody log, offline. Needs Python 3.10 and the package `cryptography`, nothing else.

    python verify_custody.py FOLDER [--key VKEY] [--checkpoint NOTE_OR_REPORT] [--language ru]

The log is a list of text lines. A Merkle tree (RFC 6962) sums them up in one hash, the root. From time to time the
laboratory signs a checkpoint: "the log has so many lines, with this root". FOLDER holds some of the lines, every
checkpoint, and the hashes that lead from the lines to the root. Exit code: 0 it holds, 1 it does not.
"""

# ruff: noqa: T201 (printing is its purpose)

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class DoesNotHoldError(Exception):
    """The first thing that is wrong, in English and in Russian."""


def fail(english: str, russian: str) -> NoReturn:
    raise DoesNotHoldError(english, russian)


# ---- The Merkle tree: a leaf is sha256(00, line), a node is sha256(01, left, right). RFC 6962, 2.1.


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1  # the largest power of two below the number of lines


def root_from(leaves: dict[int, bytes], size: int, hashes: list[bytes]) -> bytes:
    """The root of `size` leaves, some of them known; `hashes` stand for the parts that hold none of these."""
    waiting = list(hashes)

    def subtree(low: int, high: int, known: list[int]) -> bytes:
        if not known:
            return waiting.pop(0)
        if high - low == 1:
            if known != [low]:
                raise ValueError("a line stands outside the tree")
            return leaves[low]
        middle = low + split(high - low)
        left = subtree(low, middle, [i for i in known if i < middle])
        return node(left, subtree(middle, high, [i for i in known if i >= middle]))

    found = subtree(0, size, sorted(leaves))
    return b"" if waiting else found


# ---- Checkpoints: C2SP signed-note and tlog-checkpoint, which is a text, an empty line, and signatures.


class Checkpoint(NamedTuple):
    """The first `size` lines have this `root`; `next_key` signs the checkpoint after this one."""

    origin: str
    size: int
    root: bytes
    epoch: int
    next_key: str
    previous: str


def read_note(note: str) -> Checkpoint:
    """What the note says; whether it is signed is another question."""
    origin, size, root, *more = note.partition("\n\n")[0].split("\n")
    said = dict(line.split(" ", 1) for line in more)
    if len(said) != len(more):
        raise ValueError("a checkpoint says something twice")
    epoch, next_key, previous = int(said["epoch"]), said["next"], said["previous"]
    return Checkpoint(origin, int(size), base64.b64decode(root), epoch, next_key, previous)


def is_signed(note: str, vkey: str) -> bool:
    """Whether `vkey`, which is `name+key id+base64(01, public key)`, has signed the note (Ed25519)."""
    name, key_id, encoded = vkey.split("+", 2)
    public = base64.b64decode(encoded, validate=True)
    if public[0] != 1 or hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8] != key_id:
        raise ValueError(f"{vkey} is no key: its parts do not fit")
    text, _, signatures = note.partition("\n\n")
    *lines, end = signatures.split("\n")
    if end or not all(line.startswith("— ") for line in lines):
        raise ValueError("something that is no signature stands below a checkpoint")
    found = [base64.b64decode(line.rpartition(" ")[2]) for line in lines if line.startswith(f"— {name} ")]
    ours = [signature[4:] for signature in found if signature[:4].hex() == key_id]
    try:
        for signature in ours:
            Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature, text.encode() + b"\n")
    except InvalidSignature:
        return False
    return bool(ours)


def extends(old: Checkpoint, new: Checkpoint, hashes: list[bytes]) -> bool:
    """Whether the lines of `old` are the beginning of those of `new` (RFC 6962, 2.1.2)."""
    waiting = list(hashes)

    def roots(low: int, high: int) -> tuple[bytes, bytes]:
        """Over the lines from `low` to before `high`: the root of those in `old`, and the root of all."""
        if high == old.size:
            same = waiting.pop() if low else old.root
            return same, same
        middle, sibling = low + split(high - low), waiting.pop()
        if old.size <= middle:
            before, after = roots(low, middle)
            return before, node(after, sibling)
        before, after = roots(middle, high)
        return node(sibling, before), node(sibling, after)

    return 0 < old.size <= new.size and roots(0, new.size) == (old.root, new.root) and not waiting


# ---- The checks, in order; the first that fails ends them. OK holds, -- is for the reader to weigh.
# fmt: off


def check(folder: Path, given_key: str | None, witness: str | None, say: Callable[[str, str], None]) -> None:
    """Every check of the export in `folder`; `say` is told what holds and what could not be checked."""
    proof = json.loads((folder / "proof.json").read_bytes())
    notes = [path.read_bytes().decode() for path in sorted(folder.glob("checkpoints/*.note"))]
    key = (folder / "checkpoints" / "key0.txt").read_text("utf-8").strip()
    if given_key is None:
        say(f"--  The first key comes from this folder; compare it with one from elsewhere (--key): {key}",
            f"--  Первый ключ взят из этой папки; сверьте его с ключом из другого источника (--key): {key}")
    elif given_key.strip() != key:
        fail(f"its first key is {key}, not {given_key}.", f"её первый ключ — {key}, а не {given_key}.")
    else:
        say("OK  The first key is the one that you gave.", "ДА  Первый ключ — тот, который вы указали.")
    checkpoints = check_checkpoints(notes, key, proof["extends"])
    say(f"OK  {len(notes)} checkpoints: each signed by the key announced before it, each only adding lines.",
        f"ДА  Контрольных точек: {len(notes)}; каждая подписана объявленным ранее ключом и лишь добавляет строки.")
    size, case, count = checkpoints[-1].size, proof["case_id"], check_lines(folder, proof, checkpoints[-1])
    say(f"OK  {count} lines of case {case} stand unaltered among the {size} lines of the newest checkpoint.",
        f"ДА  Строки дела {case} ({count}) не изменены и на своих местах среди {size} строк последней точки.")
    if witness is None:
        say("--  No checkpoint from elsewhere (--checkpoint): a return to an older copy of the log is not seen.",
            "--  Нет точки из другого источника (--checkpoint): возврат журнала к старой копии не виден.")
    else:
        kept = check_witness(witness, notes, checkpoints, key)
        say(f"OK  Your checkpoint is number {kept.epoch} of this log: its {kept.size} lines still begin the log.",
            f"ДА  Ваша точка — № {kept.epoch} этого журнала: её строки ({kept.size}) остались его началом.")
    tokens = len(list(folder.glob("checkpoints/*.tsr")))
    say(f"--  Not checked: are these ALL lines of the case; are they true; time stamps ({tokens}; see README).",
        f"--  Не проверено: все ли это строки дела; правдивы ли они; метки времени ({tokens}; см. README).")


def check_checkpoints(notes: list[str], key: str, proofs: list[list[str]]) -> list[Checkpoint]:
    """Each checkpoint is signed by the key that the one before it announced, and only adds lines to it."""
    found: list[Checkpoint] = []
    for epoch, note in enumerate(notes):
        here = read_note(note)
        if not is_signed(note, key):
            fail(f"checkpoint {epoch} is not signed by {key}.", f"точка {epoch} не подписана ключом {key}.")
        previous = hashlib.sha256(notes[epoch - 1].encode()).hexdigest() if found else "-"
        if (here.epoch, here.previous, here.origin) != (epoch, previous, read_note(notes[0]).origin):
            fail(f"checkpoint {epoch} does not follow the one before it: one was removed or exchanged.",
                 f"точка {epoch} не следует за предыдущей: точка удалена или подменена.")
        if found and not extends(found[-1], here, [bytes.fromhex(h) for h in proofs[epoch - 1]]):
            fail(f"checkpoint {epoch} does not extend the one before it: earlier lines (or the proof) were altered.",
                 f"точка {epoch} не продолжает предыдущую: прежние строки (или доказательство) изменены.")
        found.append(here)
        key = here.next_key
    return found


def check_lines(folder: Path, proof: dict[str, Any], newest: Checkpoint) -> int:
    """Each line is what it was when the newest checkpoint was signed, and stands where it stood."""
    leaves: dict[int, bytes] = {}
    for row in (folder / "lines.jsonl").read_bytes().decode().rstrip("\n").split("\n"):
        (first, raw), (second, seq) = sorted(json.loads(row, object_pairs_hook=list))  # nothing may be said besides
        line, named = json.loads(raw), (first, second, type(seq)) == ("line", "seq", int)
        if (line["seq"], line["case_id"], named) != (seq, proof["case_id"], True) or seq in leaves:
            fail(f"line {seq} is there twice, states another number or belongs to another case.",
                 f"строка {seq} повторяется, содержит другой номер или относится к другому делу.")
        leaves[seq] = hashlib.sha256(b"\x00" + raw.encode()).digest()
    try:
        found = root_from(leaves, newest.size, [bytes.fromhex(h) for h in proof["hashes"]])
    except (ValueError, LookupError):
        found = b""
    stated = [proof[name] for name in ("lines", "size", "root", "epoch")]
    if found != newest.root or stated != [len(leaves), newest.size, newest.root.hex(), newest.epoch]:
        fail(f"its {len(leaves)} lines do not lead to the signed root: one was altered, removed, added or moved.",
             f"строки ({len(leaves)}) не приводят к подписанному корню: есть изменённые, лишние или удалённые.")
    return len(leaves)


def check_witness(witness: str, notes: list[str], checkpoints: list[Checkpoint], key: str) -> Checkpoint:
    """A checkpoint that was kept elsewhere is among those of the export, word for word."""
    kept, newest = read_note(witness), len(notes) - 1
    if not 0 <= kept.epoch <= newest:
        fail(f"your checkpoint {kept.epoch} is newer than its {newest}. Ask for a new export, or the log was cut back.",
             f"ваша точка {kept.epoch} новее её последней ({newest}). Нужна новая выгрузка, либо журнал урезан.")
    if witness.partition("\n\n")[0] == notes[kept.epoch].partition("\n\n")[0]:
        return kept
    if is_signed(witness, checkpoints[kept.epoch - 1].next_key if kept.epoch else key):
        fail(f"your checkpoint {kept.epoch} differs from its own, and one key signed both: there are two logs.",
             f"ваша точка {kept.epoch} отличается от её точки, а подписал их один ключ: журналов два.")
    fail(f"your checkpoint {kept.epoch} ({kept.origin}) is of another log: this log's key has not signed it.",
         f"ваша точка {kept.epoch} ({kept.origin}) от другого журнала: она подписана не ключом этого.")


def note_in(path: str) -> str:
    """The note in a file: the file itself, or the checkpoint that a report.json carries."""
    content = Path(path).read_bytes().decode()
    return json.loads(content)["sections"]["custody"]["checkpoint"]["note"] if content.startswith("{") else content


def main() -> int:
    options = argparse.ArgumentParser(description="Check an export of a PLAYE custody log, offline.")
    options.add_argument("folder", type=Path)
    options.add_argument("--key", help="the log's first verifier key, from a source other than the folder")
    options.add_argument("--checkpoint", help="a checkpoint kept elsewhere: a .note file or a report.json")
    options.add_argument("--language", choices=("en", "ru"), default="en")
    given = options.parse_args()
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # what a terminal cannot show is no finding

    def say(english: str, russian: str) -> None:  # without characters that could repaint the reader's screen
        print("".join(c if c.isprintable() else "?" for c in (russian if given.language == "ru" else english)))

    try:
        check(given.folder, given.key, note_in(given.checkpoint) if given.checkpoint else None, say)
    except DoesNotHoldError as problem:
        why = problem.args
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
        why = (f"a file is missing or malformed: {problem!r}.", f"файла нет или он испорчен: {problem!r}.")
    else:
        say("The export HOLDS.", "Выгрузка ПОДТВЕРЖДЕНА.")
        return 0
    say(f"The export DOES NOT HOLD: {why[0]}", f"Выгрузка НЕ ПОДТВЕРЖДЕНА: {why[1]}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
