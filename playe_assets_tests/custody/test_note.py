"""Signed notes and tree heads as C2SP specifies them: known answers, one text for each value, no byte to change."""

from __future__ import annotations

import base64
import hashlib
import random
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.core.errors import IntegrityError
from playe_assets.custody.note import Checkpoint, VerifierKey, digest, fingerprint, open_note, sign_note

NAME = "lab.example/custody"
PRIVATE = hashlib.sha256(b"a key for these tests").digest()
ROOT = hashlib.sha256(b"a root").digest()
EXTENSIONS = ("epoch 3", "previous " + "0" * 64, "time 2026-01-02T03:04:05.678901Z",
              "boottime 12.345678 7a9d2b3c-334d-45bc-ad5d-9a068bec99b2")  # fmt: skip

orderly = settings(deadline=None, derandomize=True, max_examples=80)
lines = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=12)


def key_of(private: bytes, name: str = NAME) -> VerifierKey:
    return VerifierKey(name, Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw())


VKEY = str(key_of(PRIVATE))
CHECKPOINT = Checkpoint(NAME, 20852163, ROOT, (*EXTENSIONS, f"next {VKEY}"))
NOTE = sign_note(CHECKPOINT.text(), NAME, PRIVATE)


def test_the_note_of_the_specification_of_go_opens_with_its_key_and_its_key_id_is_known():
    """The first verifier key of Go's checksum database, which the specification's format comes from."""
    key = VerifierKey.parse("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
    assert key.key_id.hex() == "033de0ae"
    assert str(key) == "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_the_note_of_go_s_own_documentation_is_signed_to_the_byte_and_verified():
    """Known answer of golang.org/x/mod/sumdb/note: a private key, its verifier key, a text and the note."""
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    private = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    note = (text + "\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
            "Zb6KE6RyyBwJnAM=\n")  # fmt: skip
    assert sign_note(text, "PeterNeumann", private) == note
    with pytest.raises(IntegrityError) as refused:  # the signature holds; the text is no checkpoint
        open_note(note, [vkey])
    assert refused.value.code == "note.malformed"
    with pytest.raises(IntegrityError) as refused:
        open_note(note.replace("problem is", "problem was"), [vkey])
    assert refused.value.code == "note.signature"


def test_a_note_is_text_an_empty_line_an_em_dash_the_name_key_id_and_signature():
    text, signature = NOTE.split("\n\n")
    assert (text + "\n").encode() == CHECKPOINT.text().encode()
    dash, name, encoded = signature.removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", NAME)
    data = base64.b64decode(encoded)
    public = key_of(PRIVATE).public
    assert data[:4] == hashlib.sha256(NAME.encode() + b"\n\x01" + public).digest()[:4]
    assert len(data) == 4 + 64
    assert text.split("\n")[:3] == [NAME, "20852163", base64.b64encode(ROOT).decode()]
    assert open_note(NOTE, [VKEY]) == CHECKPOINT
    assert digest(NOTE) == hashlib.sha256(NOTE.encode()).hexdigest()


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed; it judges the signature here"
)
def test_openssl_accepts_the_signature_over_the_text(tmp_path):
    text, signature = NOTE.split("\n\n")
    (tmp_path / "text").write_text(text + "\n", encoding="utf-8")
    (tmp_path / "sig").write_bytes(base64.b64decode(signature.split(" ")[2])[4:])
    public = Ed25519PrivateKey.from_private_bytes(PRIVATE).public_key()
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "text",
                           "-sigfile", "sig"], cwd=tmp_path, capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_no_byte_of_a_note_can_be_changed_dropped_or_doubled():
    """At every position; whatever is still UTF-8 must be refused, whatever is not is no note."""
    chance, raw, refused = random.Random(1), NOTE.encode(), 0
    for place in range(len(raw)):
        for changed in (
            raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(7)]) + raw[place + 1 :],
            raw[:place] + bytes([chance.choice(sorted(set(range(128)) - {raw[place]}))]) + raw[place + 1 :],
            raw[:place] + raw[place + 1 :],
            raw[:place] + raw[place : place + 1] + raw[place:],
            raw[:place] + b"\n" + raw[place:],
            raw[:place],
        ):
            try:
                note = changed.decode()
            except UnicodeDecodeError:
                continue
            if note == NOTE:
                continue
            with pytest.raises(IntegrityError):
                open_note(note, [VKEY])
            refused += 1
    assert refused > 5 * len(raw)
    for added in ("\n", "x", "\n\n", NOTE, "\u2014 " + NAME + " AAAA\n"):
        with pytest.raises(IntegrityError):
            open_note(NOTE + added, [VKEY])


def test_a_signature_in_base64_that_is_not_canonical_is_refused():
    """A letter's unused bits would let one signature be written in several ways, so that a note had two digests."""
    text = "x\n0\n" + base64.b64encode(ROOT).decode() + "\n"
    note = sign_note(text, NAME, PRIVATE)
    assert note.endswith("=\n")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet.index(note[-3])
    changed = f"{note[:-3]}{alphabet[last ^ 1]}=\n"
    assert base64.b64decode(changed.split(" ")[-1]) == base64.b64decode(note.split(" ")[-1])
    with pytest.raises(IntegrityError):
        open_note(changed, [str(key_of(PRIVATE))])


def test_signatures_of_strangers_are_ignored_and_none_of_ours_is_refused():
    stranger = hashlib.sha256(b"stranger").digest()
    cosigned = NOTE + sign_note(CHECKPOINT.text(), "witness.example", stranger).split("\n\n")[1]
    assert open_note(cosigned, [VKEY]) == CHECKPOINT
    assert open_note(cosigned, [str(key_of(stranger, "witness.example"))]) == CHECKPOINT
    with pytest.raises(IntegrityError, match="No expected key") as refused:
        open_note(NOTE, [str(key_of(stranger))])
    assert refused.value.code == "note.unknown_signer"
    with pytest.raises(IntegrityError):
        open_note(NOTE, [])


def test_a_wrong_signature_of_a_known_key_refuses_the_whole_note():
    other = sign_note(Checkpoint(NAME, 1, ROOT).text(), NAME, PRIVATE).split("\n\n")[1]
    for note in (NOTE + other, NOTE.split("\n\n")[0] + "\n\n" + other + NOTE.split("\n\n")[1]):
        with pytest.raises(IntegrityError) as refused:
            open_note(note, [VKEY])
        assert refused.value.code == "note.signature"


@orderly
@given(lines, st.integers(0, 10**18), st.binary(min_size=32, max_size=32), st.lists(lines, max_size=4))
def test_a_checkpoint_has_one_text_and_the_text_one_checkpoint(origin, size, root, extensions):
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    text = checkpoint.text()
    assert Checkpoint.parse(text) == checkpoint
    assert open_note(sign_note(text, NAME, PRIVATE), [VKEY]) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "a\n1\n", f"a\n1\n{base64.b64encode(ROOT).decode()}", "a\n01\nx\n", "a\n1\nx\n", "\n1\nx\n",
        f"a\n1\n{base64.b64encode(ROOT[:-1]).decode()}\n", f"a\n+1\n{base64.b64encode(ROOT).decode()}\n",
        f"a\n-1\n{base64.b64encode(ROOT).decode()}\n", f"a\n٣\n{base64.b64encode(ROOT).decode()}\n",
        f"a\n1\n{base64.b64encode(ROOT).decode()}\n\n", f"a\n1\n{base64.b64encode(ROOT).decode()}\nx\ty\n",
        f"a\r\n1\n{base64.b64encode(ROOT).decode()}\n", f"a\n1\n {base64.b64encode(ROOT).decode()}\n",
    ],
)  # fmt: skip
def test_a_text_that_is_no_checkpoint_is_refused(text):
    with pytest.raises(IntegrityError):
        Checkpoint.parse(text)


def test_a_checkpoint_that_would_not_be_read_back_is_not_written():
    extended = (Checkpoint("a", 1, ROOT, ("",)), Checkpoint("a", 1, ROOT, ("x\ny",)))
    for wrong in (*extended, Checkpoint("", 1, ROOT), Checkpoint("a\nb", 1, ROOT), Checkpoint("a", -1, ROOT),
                  Checkpoint("a", 1, b"short")):  # fmt: skip
        with pytest.raises(IntegrityError):
            wrong.text()
    for name in ("", "a b", "a+b", "a\u00a0b", "a\n"):
        with pytest.raises(IntegrityError):
            sign_note(CHECKPOINT.text(), name, PRIVATE)
    with pytest.raises(IntegrityError):
        sign_note("no newline", NAME, PRIVATE)


@pytest.mark.parametrize(
    "vkey",
    [
        "", "a", "a+b+c", VKEY[:-1], VKEY + "A", VKEY.replace("lab", "Lab"), VKEY.replace("+", "-"),
        VKEY.upper(), f"{NAME}+00000000+{VKEY.split('+', 2)[2]}", f"{NAME}+{VKEY.split('+')[1]}+AAAA",
        "x" * 1000,
    ],
)  # fmt: skip
def test_a_verifier_key_that_is_not_its_own_is_refused(vkey):
    with pytest.raises(IntegrityError) as refused:
        VerifierKey.parse(vkey)
    assert refused.value.code == "note.key"
    assert len(str(refused.value)) < 500


def test_our_extension_lines_are_read_strictly():
    assert (CHECKPOINT.epoch, CHECKPOINT.previous, CHECKPOINT.next_key) == (3, "0" * 64, VKEY)
    assert CHECKPOINT.time.isoformat() == "2026-01-02T03:04:05.678901+00:00"
    assert CHECKPOINT.boottime == (12.345678, "7a9d2b3c-334d-45bc-ad5d-9a068bec99b2")
    for name, value in (("epoch", "03"), ("epoch", ""), ("previous", "0" * 63), ("previous", "A" * 64),
                        ("next_key", "x"), ("time", "2026-01-02"), ("boottime", "1 -"),
                        ("boottime", "nan x")):  # fmt: skip
        line = f"{name.removesuffix('_key')} {value}"
        for extensions in ((line,), (*CHECKPOINT.extensions, line), ()):
            with pytest.raises(IntegrityError):
                getattr(Checkpoint(NAME, 1, ROOT, extensions), name)


def test_the_fingerprint_is_the_beginning_of_the_digest_in_four_groups():
    assert digest("abc").startswith("ba7816bf8f01cfea")
    assert fingerprint("abc") == "ba78 16bf 8f01 cfea"
