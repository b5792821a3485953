"""Weight files from the addresses of their cards: resumed, checked byte for byte, published whole or not at all.

What was received so far lies in `<sha256>.part` beside the weights; a cut connection is taken up where it ended. The
final name appears only once size and sha256 are the card's and the bytes are on the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import ipaddress
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playe_assets.core.errors import CommandError, GovernanceError, IntegrityError, MissingResourceError
from playe_assets.inference.cards import ModelCard
from playe_assets.inference.weights import installed, publish

Progress = Callable[[int, int | None], None]
"""(bytes there, bytes in all or None): called for every block."""

_BLOCK = 1 << 18
_TIMEOUT_S = 30.0
"""Silence of the other side after which the connection counts as cut."""
_TRIES = 3
"""Connections in a row that bring no new byte, after which the next address is tried."""
_MOST_BYTES = 4 << 30
"""What a card without a size may receive; the largest file of the portfolio has 0.55 GB."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be another one the next time (RFC 9110, RFC 6585, RFC 8470)."""


class _UnusableError(Exception):
    """This address does not give the file; another may. `wrong`: it gave something, and not this file."""

    def __init__(self, problem: str, wrong: bool = False) -> None:
        super().__init__(problem)
        self.wrong = wrong


class _CutError(Exception):
    """The connection ended early; what came is kept."""


def pull(card: ModelCard, folder: Path, progress: Progress | None = None) -> Path:
    """Fetch the card's file into `folder`, from its address or the first of its mirrors that has it.

    Raises:
        GovernanceError: the card knows no sha256.
        CommandError: another process is fetching it, or an address is neither https nor this machine.
        MissingResourceError: no address could be reached, or the disk is too small; says how to import instead.
        IntegrityError: what the addresses gave is not the card's file; nothing of it is kept.
    """
    if card.sha256 is None:
        raise GovernanceError("models.no_digest", name=card.name, file=card.file)
    goal = folder / card.file
    if installed(card, folder) and _digest(goal) == card.sha256:
        return goal
    addresses = (card.url, *card.mirrors)
    for address in addresses:
        if not _allowed(address):
            raise CommandError("models.pull_address", name=card.name, address=address)
    folder.mkdir(parents=True, exist_ok=True)
    failed: list[tuple[str, _UnusableError]] = []
    with _part_of(card, folder) as part:
        free = shutil.disk_usage(folder).free
        if card.bytes is not None and card.bytes - _size(part) > free:
            raise MissingResourceError("models.no_room", name=card.name, bytes=card.bytes, free=free,
                                       folder=str(folder))  # fmt: skip
        for address in addresses:
            try:
                _receive(address, card, part, progress or (lambda _done, _total: None))
            except _UnusableError as problem:
                failed.append((address, problem))
            else:
                return publish(Path(part.name), goal)
    tried = "; ".join(f"{address}: {problem}" for address, problem in failed)
    if all(problem.wrong for _, problem in failed):
        raise IntegrityError("models.pull_wrong", name=card.name, file=card.file, tried=tried)
    raise MissingResourceError(
        "models.pull_failed", name=card.name, file=card.file, url=card.url, tried=tried
    )


@contextlib.contextmanager
def _part_of(card: ModelCard, folder: Path) -> Iterator[Any]:
    """The file of what has come so far, ours alone; an empty one is removed afterwards."""
    path = folder / f"{card.sha256}.part"
    with path.open("ab+", buffering=0) as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have published this very file between our opening and our locking it.
            ours = path.stat().st_ino == os.fstat(part.fileno()).st_ino
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise CommandError("models.pull_busy", name=card.name, path=str(path))
        try:
            yield part
        finally:
            if _size(part) == 0:
                path.unlink(missing_ok=True)


def _receive(address: str, card: ModelCard, part: Any, progress: Progress) -> None:
    """Fill `part` from `address`, with as many connections as bring something; it is whole, right and synced then."""
    resumed = _size(part) > 0
    idle = 0
    while True:
        before = _size(part)
        try:
            _connect(address, card, part, progress)
        except _CutError as problem:
            idle = 0 if _size(part) > before else idle + 1
            if idle >= _TRIES:
                raise _UnusableError(str(problem)) from problem
            continue
        found = _digest(Path(part.name))
        if found == card.sha256:
            os.fsync(part.fileno())
            return
        part.truncate(0)
        if not resumed:
            raise _UnusableError(f"sha256 {found}, expected {card.sha256}", wrong=True)
        resumed = False  # the bytes from before may have been the wrong ones: once more from the start


def _connect(address: str, card: ModelCard, part: Any, progress: Progress) -> None:
    """One connection; returns when `part` has the card's size or, where that is unknown, all that is sent."""
    if card.bytes is not None and _size(part) > card.bytes:
        part.truncate(0)
    have = _size(part)
    if have and have == card.bytes:
        return
    headers = {"Accept-Encoding": "identity", "User-Agent": "playe"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with _opener(address).open(
            urllib.request.Request(address, headers=headers), timeout=_TIMEOUT_S
        ) as answer:
            _read(answer, have, card, part, progress)
    except urllib.error.HTTPError as problem:
        problem.close()
        if problem.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            part.truncate(0)  # what lies here is not the beginning of what lies there
            raise _CutError("HTTP 416") from problem
        kind = _CutError if problem.code in _PASSING else _UnusableError
        raise kind(f"HTTP {problem.code}") from problem
    except urllib.error.URLError as problem:
        raise _CutError(str(problem.reason)) from problem
    except (OSError, http.client.HTTPException) as problem:
        if isinstance(problem, OSError) and problem.filename is not None:
            raise  # the disk, not the network
        raise _CutError(str(problem) or type(problem).__name__) from problem


def _read(answer: Any, have: int, card: ModelCard, part: Any, progress: Progress) -> None:
    if (answer.headers.get("Content-Encoding") or "identity") != "identity":
        raise _UnusableError(f"Content-Encoding {answer.headers['Content-Encoding']}", wrong=True)
    start, total = _span(answer)
    if None not in (total, card.bytes) and total != card.bytes:
        raise _UnusableError(f"{total} bytes, expected {card.bytes}", wrong=True)
    if start != have:
        part.truncate(0)
        if start:
            raise _CutError(f"byte {have} was asked for, byte {start} came")
    done, most = start, card.bytes if card.bytes is not None else total or _MOST_BYTES
    while block := answer.read(min(_BLOCK, most - done + 1)):
        if done + len(block) > most:
            part.truncate(0)
            raise _UnusableError(f"more than {most} bytes", wrong=True)
        _write(part, block)
        done += len(block)
        progress(done, card.bytes or total)
    whole = card.bytes if card.bytes is not None else total
    if whole is not None and done < whole:
        raise _CutError(f"{done} of {whole} bytes")


def _span(answer: Any) -> tuple[int, int | None]:
    """(first byte that the answer gives, size of the whole file or None)."""
    if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
        told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range") or "")
        if told is None:
            raise _UnusableError("HTTP 206 without a range", wrong=True)
        return int(told[1]), None if told[2] == "*" else int(told[2])
    length = answer.headers.get("Content-Length") or ""
    return 0, int(length) if length.isdecimal() else None


def _write(part: Any, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[part.write(view) :]


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where a card may point as well."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not _allowed(newurl):
            fp.close()
            raise _UnusableError(f"HTTP {code} to {newurl}", wrong=True)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(address: str) -> urllib.request.OpenerDirector:
    here = _loopback(urllib.parse.urlsplit(address).hostname or "")
    proxies = [urllib.request.ProxyHandler({})] if here else []
    return urllib.request.build_opener(_Redirects, *proxies)


def _allowed(address: str) -> bool:
    """https to anywhere, http to this machine only."""
    parts = urllib.parse.urlsplit(address)
    if not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname))


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _size(part: Any) -> int:
    return os.fstat(part.fileno()).st_size


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
