"""The one door through which evidence is first decoded: `probe`, or `Prober` for many files.

Decoding happens in a child process under limits; a crash, too much memory or too much time quarantines the
file with a plain reason, and the next file gets a fresh child. A stronger sandbox goes around the child.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from playe_assets.core.canonical import canonical_json, from_plain
from playe_assets.media.limits import Limits
from playe_assets.media.probe_result import Probe, quarantined

__all__ = ["Limits", "Probe", "Prober", "probe"]


def probe(path: Path, limits: Limits | None = None) -> Probe:
    """What the one file at `path` is; `Prober` saves the start of the child (0.3 s) for many."""
    with Prober(limits or Limits()) as prober:
        return prober.probe(path)


class Prober:
    """Keeps one child process alive; use as a context manager, from one thread."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._child: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self.peak_rss_bytes = 0
        """Largest resident size of a child so far, as the kernel counted it (VmHWM)."""

    def __enter__(self) -> Prober:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def probe(self, path: Path) -> Probe:
        """Facts, or the reason for quarantine; never raises for what the file contains.

        Raises:
            OSError: the file itself cannot be opened.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            return self._ask(descriptor)
        finally:
            os.close(descriptor)

    def _ask(self, descriptor: int) -> Probe:
        link = self._start()
        deadline = time.monotonic() + self.limits.max_wall_s
        try:
            socket.send_fds(link, [b"P"], [descriptor])
            sizes = self._receive(link, 16, deadline)
            facts = self._receive(link, int.from_bytes(sizes[:8], "big"), deadline)
            ledger = self._receive(link, int.from_bytes(sizes[8:], "big"), deadline)
        except TimeoutError:
            self._stop()
            return quarantined("media.time", limit_s=self.limits.max_wall_s)
        except (ConnectionError, EOFError):
            return self._died()
        self._measure()
        answer = replace(from_plain(Probe, json.loads(facts)), ledger=ledger or None)
        if answer.reason is not None and answer.reason.code == "media.memory":
            self._stop()  # its heap is in pieces; the next file gets a fresh one
            return quarantined("media.memory", limit_mib=self.limits.max_memory_bytes >> 20)
        return answer

    def _receive(self, link: socket.socket, size: int, deadline: float) -> bytes:
        parts, left = [], size
        while left:
            link.settimeout(max(deadline - time.monotonic(), 0.001))
            part = link.recv(min(left, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _died(self) -> Probe:
        code = self._child.wait(10) if self._child is not None else 0
        self._stop()
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return quarantined("media.time", limit_s=self.limits.max_cpu_s)
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return quarantined("decoder_crashed", how=name)

    def _start(self) -> socket.socket:
        if self._link is not None and self._child is not None and self._child.poll() is None:
            return self._link
        self._stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        environment = {
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "MALLOC_ARENA_MAX": "1",  # arenas reserve address space, which RLIMIT_AS counts
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "LC_ALL": "C.UTF-8",
        }
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-B", "-m", "playe_assets.media.child", str(theirs.fileno()),
                 canonical_json(self.limits).decode()],
                pass_fds=[theirs.fileno()], env=environment, cwd="/", stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._link = ours
        return ours

    def _measure(self) -> None:
        if self._child is None:
            return
        try:
            status = Path(f"/proc/{self._child.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.peak_rss_bytes = max(self.peak_rss_bytes, int(line.split()[1]) << 10)

    def _stop(self) -> None:
        if self._link is not None:
            self._link.close()
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        self._link = self._child = None
