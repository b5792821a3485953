"""Of section 10: the checkpoint as a person compares it, the signatures, and how to verify, command by command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.custody.note import fingerprint
from playe_assets.exporters.pdf_page import heading
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import MONO, box, chip, markup, pairs, para, sha, shown, table

_STEPS = {
    "playe case verify ": "case",
    "playe report verify ": "report",
    "playe audit verify ": "audit",
    "openssl cms ": "openssl",
}
"""How a command begins, to the sentence that says what it does."""


def checkpoint_block(part: Mapping[str, Any], say: Say) -> list[Any]:
    """The checkpoint: fingerprint first, then its facts, then the whole note."""
    kept = part.get("checkpoint")
    if kept is None:
        return [*heading(say("checkpoint"), 2), para(say("checkpoint.none"), "body")]
    inside = sum(line["seq"] < kept["size"] for line in part["extract"])
    rows: list[tuple[str, Any]] = [
        (
            say("checkpoint.fingerprint"),
            markup(f'<font name="{MONO}-Bold" size="13">{fingerprint(kept["note"])}</font>', "h2"),
        ),
        (say("checkpoint.covers"), say("checkpoint.covers.value", size=kept["size"], epoch=kept["epoch"])),
        (say("checkpoint.root"), sha(kept["root"])),
        (say("checkpoint.key0"), para(kept["key0"], "mono")),
        (say("checkpoint.proof"), say("checkpoint.proof.value", n=inside, m=len(part["extract"]))),
        (say("stamps"), _stamps(part["time_stamps"], say)),
    ]
    return [
        *heading(say("checkpoint"), 2),
        para(say("checkpoint.lead"), "body"),
        pairs(rows),
        para(say("checkpoint.note"), "label"),
        box([para(line, "mono") if line else para("\u00a0", "mono") for line in kept["note"].splitlines()]),
    ]


def _stamps(stamps: Sequence[Mapping[str, Any]], say: Say) -> Any:
    if not stamps:
        return say("stamps.none")
    lines = [shown(say("stamps.value", utc=say.utc(s["time_utc"]), authority=s["authority"])) for s in stamps]
    return markup("<br/>".join(lines), "cell")


def signature_block(signatures: Sequence[Mapping[str, Any]], say: Say) -> list[Any]:
    """Who signed which file with which certificate; or, in plain sight, that nobody did."""
    story: list[Any] = [*heading(say("signatures"), 2)]
    if not signatures:
        return [*story, box([para(say("unsigned"), "strong"), para(say("unsigned.why"), "body")], "warn")]
    first = signatures[0]
    rows: list[tuple[str, Any]] = [
        (say("signed.by"), first["signer"]),
        (say("signed.sha"), sha(first["certificate_sha256"])),
        (say("signed.algorithm"), first["algorithm"]),
        (say("signed.stamp"), say(f"signed.stamp.{first['time_stamp']}")),
    ]
    files: list[list[Any]] = [[say("signed.file"), say("signed.form"), say("signed.over")]]
    for s in signatures:
        form = "pades" if str(s["form"]).startswith("PAdES") else "cms"
        files.append([para(s["file"], "mono"), str(s["form"]), say(f"signed.over.{form}")])
    return [*story, pairs(rows), table(files, [25, 15, 60])]


def signed_word(signatures: Sequence[Mapping[str, Any]], say: Say) -> Any:
    """The front page's word: signed by whom, or not signed."""
    if not signatures:
        return chip(say("front.unsigned"), "warn")
    first = signatures[0]
    said = say("front.signed", signer=first["signer"])
    if first["time_stamp"] == "failed":
        said += ". " + say("signed.stamp.failed")
    return chip(said, "warn" if first["time_stamp"] == "failed" else "good")


def verify_block(commands: Sequence[str], say: Say) -> list[Any]:
    """One step a command: what it finds out, then the command itself."""
    story: list[Any] = [*heading(say("verify"), 2)]
    number = 0
    for command in commands:
        key = next((word for start, word in _STEPS.items() if command.startswith(start)), None)
        if key is not None:
            number += 1
            story.append(para(f"{number}. {say(f'verify.{key}')}", "body"))
        story.append(box([para(command, "code")]))
    return [*story, para(f"{number + 1}. {say('verify.files')}", "body")]
