"""The child process that opens evidence: file descriptors come over a socket, facts go back; under rlimits.

Started by `Prober` as `python -m playe_assets.media.child SOCKET_FD LIMITS_JSON`. It is never given a path.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
from dataclasses import replace
from typing import IO, Final

from playe_assets.core.canonical import canonical_json, from_plain
from playe_assets.core.errors import EvidenceError, UndecodableError
from playe_assets.media.limits import Limits
from playe_assets.media.probe_result import Probe, quarantined
from playe_assets.media.sniff import has_box, lies

ANIMATED: Final = ("GIF", "PNG")
"""Pillow formats that are clips once they hold more than one picture; FFmpeg reads both with their timing."""


def examine(file: IO[bytes], limits: Limits) -> Probe:
    """What `file` is. Every failure that a hostile file can provoke ends as a quarantined probe."""
    refused = lies(file)
    if refused is not None:
        return quarantined(refused.code, **refused.facts)
    try:
        return _photo_or_clip(file, limits)
    except EvidenceError as problem:
        return quarantined(problem.code, **{k: v for k, v in problem.facts.items() if k != "file"})
    except MemoryError:
        return quarantined("media.memory")
    except RecursionError:
        return quarantined("media.nothing_decoded", problem="RecursionError")


def _photo_or_clip(file: IO[bytes], limits: Limits) -> Probe:
    from playe_assets.media.clip_facts import probe_clip
    from playe_assets.media.photo import open_photo, quiet
    from playe_assets.media.photo_facts import probe_photo

    try:
        with quiet():
            picture = open_photo(file, limits.max_pixels)
            animated = picture.format in ANIMATED and bool(getattr(picture, "is_animated", False))
    except UndecodableError:
        return _clip(file, limits)
    if animated:
        import av

        try:
            return probe_clip(file, limits)
        except (av.error.FFmpegError, UndecodableError):
            return probe_photo(file, limits)  # its first picture, with the others listed as missing
    return probe_photo(file, limits)


def _clip(file: IO[bytes], limits: Limits) -> Probe:
    import av

    from playe_assets.media.clip_facts import probe_clip

    try:
        return probe_clip(file, limits)
    except MemoryError:
        raise
    except av.error.FFmpegError as problem:
        file.seek(4)
        if file.read(4) in (b"ftyp", b"mdat", b"free", b"wide", b"skip") and not has_box(file, b"moov"):
            return quarantined("index_missing")
        return quarantined("media.unknown_format", problem=str(problem.strerror))


def main() -> None:
    """Serves one request after the other until the parent closes the socket."""
    link = socket.socket(fileno=int(sys.argv[1]))
    limits = from_plain(Limits, json.loads(sys.argv[2]))
    _preload()
    _restrict(limits)
    while True:
        message, descriptors, _, _ = socket.recv_fds(link, 1, 1)
        if not message or not descriptors:
            return
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 1 + limits.max_cpu_s, hard))
        with os.fdopen(descriptors[0], "rb") as file:
            answer = examine(file, limits)
        ledger = answer.ledger or b""
        facts = canonical_json(replace(answer, ledger=None))
        link.sendall(len(facts).to_bytes(8, "big") + len(ledger).to_bytes(8, "big"))
        link.sendall(facts)
        link.sendall(ledger)


def _preload() -> None:
    """Everything is imported before a file is seen, so that limits are not spent on imports."""
    from playe_assets.media import clip_facts, photo_facts  # noqa: F401
    from playe_assets.media.photo import register_formats

    register_formats()
    import av  # noqa: F401


def _restrict(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.max_memory_bytes, limits.max_memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


if __name__ == "__main__":
    main()
