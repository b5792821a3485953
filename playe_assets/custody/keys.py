"""The private keys that sign checkpoints: one file an epoch, in the note format of Go's sumdb, mode 0600.

Erasing overwrites the file, syncs it and unlinks it. That is all a program can do: a journalling or copying file
system, a snapshot, a backup and the spare blocks of flash may keep the old bytes (docs/adr/0014 says what an
administrator can do about it).
"""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from playe_assets.core.durable import make_folder, sync_folder, write_durably
from playe_assets.core.errors import IntegrityError
from playe_assets.custody.note import ED25519, VerifierKey

_PREFIX = "PRIVATE+KEY+"


class EpochKeys:
    """The folder of private keys. Only the current epoch's stands in it, and the next one's while both are needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, epoch: int) -> Path:
        """Where the key of `epoch` lies."""
        return self.folder / f"{epoch:06d}.key"

    def present(self) -> list[int]:
        """The epochs of which there is a key, ascending."""
        return sorted(int(path.stem) for path in self.folder.glob("*.key") if path.stem.isdigit())

    def generate(self, epoch: int, name: str) -> VerifierKey:
        """Make the key of `epoch`, on the disk when this returns. An empty `name` becomes one made of the key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        key = VerifierKey(name or f"playe-log/{public[:8].hex()}", public)
        encoded = base64.b64encode(ED25519 + private.private_bytes_raw()).decode()
        make_folder(self.folder, 0o700)
        write_durably(self.path(epoch), f"{_PREFIX}{key.name}+{key.key_id.hex()}+{encoded}\n".encode(), 0o600)
        return key

    def load(self, epoch: int) -> tuple[VerifierKey, bytes]:
        """The verifier key of `epoch` and its private key (32 bytes).

        Raises:
            IntegrityError: the file is absent, open to other users or no key.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        path = self.path(epoch)
        try:
            mode, text = path.stat().st_mode, path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            raise IntegrityError("checkpoint.key_absent", path=str(path), epoch=epoch) from None
        if mode & 0o077:
            raise IntegrityError("checkpoint.key_open", path=str(path), mode=f"{mode & 0o777:03o}")
        try:
            name, stated, encoded = text.removeprefix(_PREFIX).strip().split("+", 2)
            data = base64.b64decode(encoded, validate=True)
            private = Ed25519PrivateKey.from_private_bytes(data[1:])
        except ValueError:
            raise IntegrityError("checkpoint.key_broken", path=str(path)) from None
        key = VerifierKey(name, private.public_key().public_bytes_raw())
        if not text.startswith(_PREFIX) or data[:1] != ED25519 or key.key_id.hex() != stated:
            raise IntegrityError("checkpoint.key_broken", path=str(path))
        return key, data[1:]

    def erase_below(self, epoch: int) -> None:
        """Erase every key before `epoch`, and what a crash left of a key that was being written."""
        if not self.folder.is_dir():
            return
        for old in self.present():
            if old < epoch:
                _erase(self.path(old))
        for path in sorted(self.folder.glob("*.tmp")):
            _erase(path)


def _erase(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        os.pwrite(fd, secrets.token_bytes(size), 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    path.unlink()
    sync_folder(path.parent)
