"""Signed notes and tree heads: C2SP signed-note v1 with Ed25519 and C2SP tlog-checkpoint. Pure but for the signature.

A checkpoint says "the log of this origin had this many lines, with this root", in lines that a person can read and
any implementation of the two specifications can check. Ours carry extension lines (`epoch`, `next`, `previous`,
`time`, `boottime`), which chain the checkpoints and announce each next key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from playe_assets.core.errors import IntegrityError

ED25519 = b"\x01"
"""The signature type's byte of a plain Ed25519 note signature (signed-note, "Signature types")."""
LONGEST = 1 << 16
"""Bytes of a note; a longer one is refused unread. The specification asks for room for at least 16 signatures."""
FIRST = "-"
"""What stands for `previous` in the checkpoint of epoch 0."""
_DASH = "\u2014 "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_BOOT = re.compile(r"([0-9]{1,12}\.[0-9]{6}) ([0-9a-f-]{36}|-)", re.ASCII)


@dataclass(frozen=True)
class VerifierKey:
    """A public key with its name. `str()` is the verifier key string `<name>+<8 hex>+<base64(0x01 || key)>`."""

    name: str
    public: bytes
    """32 bytes (RFC 8032)."""

    @property
    def key_id(self) -> bytes:
        """Four bytes: SHA-256(name || 0x0A || 0x01 || public key) cut short (signed-note, "Ed25519 signatures")."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """The key that `vkey` states.

        Raises:
            IntegrityError: it is no verifier key of Ed25519, or its key ID is not its own.
        """
        name, _, rest = vkey.partition("+")
        stated, _, encoded = rest.partition("+")
        try:
            data = _decoded(encoded)
        except ValueError:
            data = b""
        if not is_name(name) or len(data) != 33 or data[:1] != ED25519:
            raise IntegrityError("note.key", key=vkey[:200])
        key = cls(name, data[1:])
        if stated != key.key_id.hex():
            raise IntegrityError("note.key", key=vkey[:200])
        return key


@dataclass(frozen=True)
class Checkpoint:
    """The head of a tree: the text that is signed. `text()` and `parse` are each other's inverse."""

    origin: str
    """The log's name."""
    size: int
    """Lines of the log, 0 or more."""
    root: bytes
    """32 bytes: the RFC 6962 root over the first `size` lines."""
    extensions: tuple[str, ...] = ()
    """Further lines without their newlines, none empty."""

    def text(self) -> str:
        """The note's text with its last newline.

        Raises:
            IntegrityError: a field cannot stand in a checkpoint.
        """
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions]
        text = "".join(f"{line}\n" for line in lines)
        if Checkpoint.parse(text) != self:
            raise IntegrityError("note.malformed", part="lines")
        return text

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint that `text` states, exactly: one text for each checkpoint.

        Raises:
            IntegrityError: it is none (tlog-checkpoint, "Note text").
        """
        if not text.endswith("\n"):
            raise IntegrityError("note.malformed", part="end")
        lines = text[:-1].split("\n")
        if len(lines) < 3 or not all(lines) or any(_has_control(line) for line in lines):
            raise IntegrityError("note.malformed", part="lines")
        if not _SIZE.fullmatch(lines[1]):
            raise IntegrityError("note.malformed", part="size")
        try:
            found = _decoded(lines[2])
        except ValueError:
            found = b""
        if len(found) != 32:
            raise IntegrityError("note.malformed", part="root")
        return cls(lines[0], int(lines[1]), found, tuple(lines[3:]))

    @property
    def epoch(self) -> int:
        """Which checkpoint of the log this is, from 0."""
        value = self._extension("epoch")
        if not _SIZE.fullmatch(value):
            raise IntegrityError("note.extension", name="epoch", value=value)
        return int(value)

    @property
    def next_key(self) -> str:
        """The verifier key that signs the next checkpoint."""
        value = self._extension("next")
        VerifierKey.parse(value)
        return value

    @property
    def previous(self) -> str:
        """SHA-256 (hex) of the previous checkpoint's note, `-` in the first."""
        value = self._extension("previous")
        if value != FIRST and not re.fullmatch(r"[0-9a-f]{64}", value, re.ASCII):
            raise IntegrityError("note.extension", name="previous", value=value)
        return value

    @property
    def time(self) -> datetime:
        """The laboratory's wall clock when the checkpoint was signed, UTC."""
        value = self._extension("time")
        try:
            return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        except ValueError:
            raise IntegrityError("note.extension", name="time", value=value) from None

    @property
    def boottime(self) -> tuple[float, str]:
        """Seconds since the machine's start (CLOCK_BOOTTIME) and its boot id, `-` where it has none."""
        value = self._extension("boottime")
        match = _BOOT.fullmatch(value)
        if match is None:
            raise IntegrityError("note.extension", name="boottime", value=value)
        return float(match[1]), match[2]

    def _extension(self, name: str) -> str:
        found = [line[len(name) + 1 :] for line in self.extensions if line.startswith(f"{name} ")]
        if len(found) != 1:
            raise IntegrityError("note.extension", name=name, value=" | ".join(found) or "-")
        return found[0]


def is_name(name: str) -> bool:
    """Whether `name` may name a key: not empty, without Unicode spaces, control characters and `+`."""
    return bool(name) and "+" not in name and not any(c.isspace() or _has_control(c) for c in name)


def digest(note: str) -> str:
    """SHA-256 (hex) of a note's bytes, as `previous` and the log's `log.checkpoint` lines state it."""
    return hashlib.sha256(note.encode()).hexdigest()


def fingerprint(note: str) -> str:
    """The first 64 bits of `digest` in groups of four digits: to be read aloud and compared."""
    return " ".join(digest(note)[i : i + 4] for i in range(0, 16, 4))


def sign_note(text: str, name: str, private: bytes) -> str:
    """`text` signed as a note by the Ed25519 key `private` (32 bytes, RFC 8032) of the name `name`.

    Raises:
        IntegrityError: the text or the name cannot stand in a note.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not text.endswith("\n") or any(_has_control(line) for line in text.split("\n")):
        raise IntegrityError("note.malformed", part="text")
    if not is_name(name):
        raise IntegrityError("note.name", name=name)
    signer = Ed25519PrivateKey.from_private_bytes(private)
    key = VerifierKey(name, signer.public_key().public_bytes_raw())
    signature = base64.b64encode(key.key_id + signer.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{name} {signature}\n"


def open_note(note: str, vkeys: Iterable[str]) -> Checkpoint:
    """The checkpoint in `note`, which at least one of the keys `vkeys` signed.

    Signatures of other keys are ignored (cosignatures of witnesses may stand there); one that names a known key
    and does not hold refuses the whole note (signed-note, "Signatures").

    Raises:
        IntegrityError: no known key signed it, a known key's signature is wrong, or it is no checkpoint.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    known = {(key.name, key.key_id): key for key in map(VerifierKey.parse, vkeys)}
    text, signatures = _taken_apart(note)
    holds = False
    for name, key_id, signature in signatures:
        key = known.get((name, key_id))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
        except InvalidSignature:
            raise IntegrityError("note.signature", name=name, key_id=key_id.hex()) from None
        holds = True
    if not holds:
        found = ", ".join(f"{name}+{key_id.hex()}" for name, key_id, _ in signatures)
        raise IntegrityError("note.unknown_signer", found=found, known=", ".join(sorted(
            f"{name}+{key_id.hex()}" for name, key_id in known)))  # fmt: skip
    return Checkpoint.parse(text)


def _taken_apart(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The signed text and (key name, key ID, signature) of each signature line."""
    if len(note) > LONGEST or any(_has_control(line) for line in note.split("\n")):
        raise IntegrityError("note.malformed", part="characters")
    try:
        note.encode()
    except UnicodeEncodeError:
        raise IntegrityError("note.malformed", part="characters") from None
    # The text may hold empty lines of its own: the last one parts it from the signatures.
    text, parted, rest = note.rpartition("\n\n")
    if not parted or not rest.endswith("\n"):
        raise IntegrityError("note.malformed", part="end")
    signatures: list[tuple[str, bytes, bytes]] = []
    for line in rest[:-1].split("\n"):
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        try:
            data = _decoded(encoded)
        except ValueError:
            data = b""
        if not line.startswith(_DASH) or not is_name(name) or len(data) < 5:
            raise IntegrityError("note.malformed", part="signatures")
        signatures.append((name, data[:4], data[4:]))
    return text + "\n", signatures


def _decoded(encoded: str) -> bytes:
    """The bytes of standard base64 (RFC 4648, 4) in its one canonical form.

    Raises:
        ValueError: it is none; `b64decode` alone lets the unused bits of the last letter be anything.
    """
    try:
        data = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as problem:
        raise ValueError(str(problem)) from None
    if base64.b64encode(data).decode() != encoded:
        raise ValueError("base64 that is not canonical")
    return data


def _has_control(text: str) -> bool:
    return any(c < " " for c in text)
