"""Signed checkpoints of the log, each by its epoch's key, which announces the next key and is then erased.

The folder `checkpoints/` beside the log: `000000.note`, `000000.tsr` (RFC 3161 response, where an authority is
configured), `key0.txt` (the verifier key of epoch 0) and `keys/` (`keys.py`). The log names each checkpoint in a
`log.checkpoint` line, so that a deleted one is missed. docs/adr/0014 says what this is worth against whom.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playe_assets.core.durable import make_folder, write_durably
from playe_assets.core.errors import IntegrityError
from playe_assets.custody import merkle
from playe_assets.custody.chain import follow, set_back
from playe_assets.custody.keys import EpochKeys
from playe_assets.custody.log import CustodyLog, utc_now
from playe_assets.custody.note import FIRST, Checkpoint, VerifierKey, digest, is_name, open_note, sign_note
from playe_assets.custody.record import Recorder
from playe_assets.custody.stamping import FAILED, STAMPED, stamped
from playe_assets.custody.tree import LogTree, lock

__all__ = ["EVENT", "FAILED", "STAMPED", "Checkpoints", "Kept", "follow", "set_back"]
EVENT = "log.checkpoint"
"""The log's line about a checkpoint: `epoch`, `size`, `note_sha256`."""


@dataclass(frozen=True)
class Kept:
    """A checkpoint as it lies in the folder. Its signature is judged by `follow`, not by reading it."""

    epoch: int
    note: str
    checkpoint: Checkpoint
    path: Path
    token: bytes | None
    """The RFC 3161 response over the note's bytes (DER), where there is one."""


class Checkpoints:
    """The checkpoints of `log` in `folder`. Safe over processes."""

    def __init__(
        self,
        log: CustodyLog,
        folder: Path,
        *,
        origin: str = "",
        pinned: str = "",
        tsa_url: str = "",
        tsa_timeout_s: float = 10.0,
    ) -> None:
        """`origin`: the log's name, made of key 0 where empty. `pinned`: the verifier key that key 0 must be."""
        self.log = log
        self.folder = folder
        self.origin = origin
        self.pinned = pinned
        self.tsa_url = tsa_url
        self.tsa_timeout_s = tsa_timeout_s
        self.tree = LogTree(log)
        self.keys = EpochKeys(folder / "keys")

    def make(self, recorder: Recorder | None = None) -> Kept:
        """A checkpoint over every line that the log has now; the newest one where nothing but checkpoints came since.

        Where a time-stamping authority is set and cannot be had, the checkpoint is made all the same: `recorder`
        (else one of this process's user) records it once, and the next call asks again.

        Raises:
            IntegrityError: the log is empty; or it, the checkpoints and the keys do not go together, so that
                signing would make two stories of one log. Nothing is signed then.
            LockTimeoutError: another process makes a checkpoint for longer than the log's lock timeout.
        """
        with self._locked():
            kept, news = self._settled()
            if kept is None or news:
                kept = self._signed(kept)
                self._announce(kept)
        return stamped(self.log, kept, self.tsa_url, self.tsa_timeout_s, recorder)

    def newest(self) -> Kept | None:
        """The last checkpoint, its signature checked; None before the first.

        Raises:
            IntegrityError: it is not signed by the key that the one before it announced.
        """
        epochs = self._epochs()
        if not epochs:
            return None
        kept = self._read(epochs[-1])
        key0 = self._known_key0() or self.pinned
        key = self._read(kept.epoch - 1).checkpoint.next_key if kept.epoch else key0
        try:
            stated = open_note(kept.note, [key]).epoch
        except IntegrityError as problem:
            raise IntegrityError("checkpoint.refused", epoch=kept.epoch, problem=str(problem)) from problem
        if stated != kept.epoch:
            raise IntegrityError("checkpoint.epoch", epoch=kept.epoch, found=stated)
        return kept

    def all(self) -> list[Kept]:
        """Every checkpoint that is there, by epoch, as the files say: `follow` judges them.

        Raises:
            IntegrityError: a file is no checkpoint.
        """
        return [self._read(epoch) for epoch in self._epochs()]

    def key0(self) -> str:
        """The verifier key of epoch 0, by which a stranger checks all others. Made where there is none yet.

        Raises:
            IntegrityError: it is not the pinned one, or the log says that checkpoints were here.
        """
        found = self._known_key0()
        if found is None:
            with self._locked():
                found = self._known_key0() or self._begun()
        return found

    def _known_key0(self) -> str | None:
        path = self.folder / "key0.txt"
        try:
            found = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        name = VerifierKey.parse(found).name
        if self.pinned and found != self.pinned:
            raise IntegrityError("checkpoint.pinned", path=str(path), found=found, pinned=self.pinned)
        if self.origin not in ("", name):
            raise IntegrityError("checkpoint.origin", origin=self.origin, found=name)
        return found

    def _begun(self) -> str:
        """Make key 0. A crash between its file and `key0.txt` leaves a key that no note has named: it is taken."""
        path = self.folder / "key0.txt"
        if self._epochs() or any(entry and entry.get("event") == EVENT for _, entry, _ in self.log.read()):
            raise IntegrityError("checkpoint.key0_absent", path=str(path))
        if self.pinned:
            raise IntegrityError("checkpoint.pinned", path=str(path), found="-", pinned=self.pinned)
        if self.origin and not is_name(self.origin):
            raise IntegrityError("note.name", name=self.origin)
        self.keys.erase_below(0)
        key = self.keys.load(0)[0] if 0 in self.keys.present() else self.keys.generate(0, self.origin)
        write_durably(path, f"{key}\n".encode())
        return str(key)

    def _settled(self) -> tuple[Kept | None, bool]:
        """The newest checkpoint, with all done that a crash left undone, and whether the log has news since.

        Raises:
            IntegrityError: log, checkpoints and keys do not go together.
        """
        if self._known_key0() is None:
            self._begun()
        for left in self.folder.glob("*.tmp"):
            left.unlink()
        kept = self.newest()
        self.keys.erase_below(kept.epoch + 1 if kept else 0)
        if kept is None:
            self._none_named()
            return None, True
        self._still_begins(kept.checkpoint)
        stated, news = False, False
        for index, entry, _ in self.log.read(kept.checkpoint.size):
            event = entry.get("event") if entry else None
            if entry is None or event != EVENT:
                news |= event not in (FAILED, STAMPED, "log.rotated")
            elif entry.get("epoch") != kept.epoch:
                raise IntegrityError(
                    "checkpoint.rolled_back", epoch=kept.epoch, seq=index, named=entry.get("epoch")
                )
            elif entry.get("note_sha256") != digest(kept.note):
                raise IntegrityError("checkpoint.other_note", path=str(kept.path), seq=index)
            else:
                stated = True
        if not stated:
            self._announce(kept)
        return kept, news

    def _none_named(self) -> None:
        for index, entry, _ in self.log.read():
            if entry and entry.get("event") == EVENT:
                raise IntegrityError("checkpoint.rolled_back", epoch="-", seq=index, named=entry.get("epoch"))

    def _still_begins(self, known: Checkpoint) -> None:
        """Hold that the log begins as `known` says, so that nothing is signed that contradicts it."""
        lines = self.log.head().lines
        if known.size > lines:
            raise IntegrityError("checkpoint.log_shorter", epoch=known.epoch, size=known.size, lines=lines)
        if self.tree.root(known.size) != known.root:
            self.tree.anew()
            if self.tree.root(known.size) != known.root:
                raise IntegrityError("checkpoint.history", epoch=known.epoch, size=known.size)

    def _signed(self, last: Kept | None) -> Kept:
        """Sign the next epoch. The order matters to a crash: next key, note, only then is the old key erased."""
        epoch = last.epoch + 1 if last else 0
        key, private = self.keys.load(epoch)
        expected = last.checkpoint.next_key if last else self._known_key0()
        if str(key) != expected:
            raise IntegrityError("checkpoint.key_differs", path=str(self.keys.path(epoch)), found=str(key),
                                 expected=expected)  # fmt: skip
        size = self.log.head().lines  # on the disk: a power cut takes none of these lines back
        if not size:
            raise IntegrityError("checkpoint.empty_log", path=str(self.log.path))
        root = self._counted(last, size)
        # A key that a crash left here was announced in no note that lasts; taking it is as good as a new one.
        there = epoch + 1 in self.keys.present()
        following = self.keys.load(epoch + 1)[0] if there else self.keys.generate(epoch + 1, key.name)
        extensions = (
            f"epoch {epoch}",
            f"next {following}",
            f"previous {digest(last.note) if last else FIRST}",
            f"time {utc_now()}",
            f"boottime {time.clock_gettime(time.CLOCK_BOOTTIME):.6f} {_boot_id()}",
        )
        checkpoint = Checkpoint(key.name, size, root, extensions)
        note = sign_note(checkpoint.text(), key.name, private)
        path = self._path(epoch)
        write_durably(path, note.encode())
        self.keys.erase_below(epoch + 1)
        return Kept(epoch, note, checkpoint, path, None)

    def _counted(self, last: Kept | None, size: int) -> bytes:
        """The root over `size` lines: what the last note vouches for, and every line since as the log has it now.

        The cache alone would not do: its checksum has no key, so whoever writes it could have a false root signed.
        """
        start = last.checkpoint.size if last else 0
        grown = merkle.Frontier(start, self.tree.full(start))
        if last and grown.root() != last.checkpoint.root:
            raise IntegrityError("checkpoint.history", epoch=last.epoch, size=start)
        for index, raw in self.log.lines(start):
            if index >= size:
                break
            grown.add(merkle.leaf_hash(raw))
        if grown.size != size:
            raise IntegrityError("checkpoint.log_shorter", epoch="-", size=size, lines=grown.size)
        if self.tree.root(size) != grown.root():
            self.tree.anew()
            if self.tree.root(size) != grown.root():
                raise IntegrityError("tree.unsteady", path=str(self.tree.path))
        return grown.root()

    def _announce(self, kept: Kept) -> None:
        self.log.append([{"event": EVENT, "epoch": kept.epoch, "size": kept.checkpoint.size,
                          "note_sha256": digest(kept.note), "t_start_utc": utc_now()}])  # fmt: skip

    def _path(self, epoch: int) -> Path:
        return self.folder / f"{epoch:06d}.note"

    def _epochs(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.note") if path.stem.isdigit())

    def _read(self, epoch: int) -> Kept:
        path = self._path(epoch)
        token = path.with_suffix(".tsr")
        try:
            note = path.read_bytes().decode("utf-8")
            found = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
        except FileNotFoundError:
            raise IntegrityError("checkpoint.absent", path=str(path), epoch=epoch) from None
        except (UnicodeDecodeError, IntegrityError) as problem:
            raise IntegrityError("checkpoint.broken", path=str(path), problem=str(problem)) from None
        return Kept(epoch, note, found, path, token.read_bytes() if token.exists() else None)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make_folder(self.folder)
        path = self.folder / "checkpoints.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            lock(fd, path, self.log.lock_timeout_s)
            yield
        finally:
            os.close(fd)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "-"
