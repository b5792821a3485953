"""The process's loaded networks: one bounded, thread-safe cache. Concurrent first uses load once.

What callers hold is a handle. A network that left the cache meanwhile is opened again by the handle's next run,
so a bound on memory never breaks a case; a network is closed only when nobody runs it.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playe_assets.inference.contract import Network, RuntimeFacts, Session, Target, Tensor
from playe_assets.inference.runtimes import RUNTIMES

Shape = tuple[int, int, int, int]

MOST_SESSIONS = 24
"""Loaded at once: the presets need at most seven networks, and each shape that an engine is compiled for counts, such
as upright and lying photographs, or the quarter turns of a self-ensemble."""
MOST_BYTES = 4 << 30
"""Of the weight files and graphs of what is kept, and of what the process grew by as each was opened and first run:
RLFN takes 1.2 kB for each px of the shape that it is compiled for, a hundred times its weights (OpenVINO)."""
ENDS = 1 << 16
"""Bytes at either end of a graph that, with its length, tell it from another graph of the same weights."""


@dataclass
class _Slot:
    """One network that is kept, or is being opened."""

    size: int
    ready: threading.Event = field(default_factory=threading.Event)
    session: Session | None = None
    error: BaseException | None = None
    seconds: float = 0.0
    users: int = 1
    ran: bool = False


class Sessions:
    """Least recently used networks leave first, and are closed when they leave."""

    def __init__(
        self,
        most: int = MOST_SESSIONS,
        most_bytes: int = MOST_BYTES,
        resident: Callable[[], int] = lambda: 0,
    ) -> None:
        """`resident`: bytes of memory that the process has now; what grows while a network is opened or first run
        is taken for its own, so that too much is counted where other threads work, and never too little."""
        self._most, self._most_bytes, self._resident = most, most_bytes, resident
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._begin_counts()

    def _begin_counts(self) -> None:
        self._hits = self._misses = self._evicted = 0
        self._load_seconds = 0.0

    def get(self, network: Network, target: Target, shape: Shape | None = None) -> KeptSession:
        """A handle on `network`, opened on `target` for inputs of `shape` (null: whatever comes) and kept.

        Raises:
            PlayeError: what opening raises, in every thread that waited for it; the next call tries again.
        """
        if not RUNTIMES.get(target.runtime)(target).by_shape():
            shape = None
        handle = KeptSession(self, network, target, shape)
        with self.used(handle) as session:
            handle.facts, handle.inputs, handle.outputs = session.facts, session.inputs, session.outputs
        return handle

    @contextmanager
    def used(self, handle: KeptSession) -> Iterator[Session]:
        """The network of `handle`, open, and not closed before the block ends."""
        with self._used(handle) as slot:
            assert slot.session is not None
            yield slot.session

    def run(self, handle: KeptSession, inputs: Sequence[Tensor]) -> list[Tensor]:
        """One run of the network of `handle`."""
        with self._used(handle) as slot:
            assert slot.session is not None
            before = 0 if slot.ran else self._resident()
            found = slot.session.run(inputs)
            if not slot.ran:
                slot.size += max(0, self._resident() - before)
                slot.ran = True
            return found

    @contextmanager
    def _used(self, handle: KeptSession) -> Iterator[_Slot]:
        slot, first = self._slot(handle)
        try:
            if first:
                self._open(handle, slot)
            slot.ready.wait()
            if slot.error is not None:
                raise slot.error
            yield slot
        finally:
            with self._lock:
                slot.users -= 1
                leaving = self._leaving()
            _close(leaving)

    def _slot(self, handle: KeptSession) -> tuple[_Slot, bool]:
        with self._lock:
            slot = self._slots.get(handle.key)
            if slot is None:
                slot = self._slots[handle.key] = _Slot(_size(handle.network))
                self._misses += 1
                return slot, True
            slot.users += 1
            self._slots.move_to_end(handle.key)
            self._hits += 1
            return slot, False

    def _open(self, handle: KeptSession, slot: _Slot) -> None:
        began, before = time.perf_counter(), self._resident()
        try:
            slot.session = RUNTIMES.get(handle.target.runtime)(handle.target).open(
                handle.network, handle.shape
            )
        except BaseException as error:
            slot.error = error  # for the threads that wait
            with self._lock:
                self._slots.pop(handle.key, None)
            raise
        else:
            slot.seconds = time.perf_counter() - began
            slot.size += max(0, self._resident() - before)
            with self._lock:
                self._load_seconds += slot.seconds
        finally:
            slot.ready.set()

    def _leaving(self) -> list[Session]:
        """Take out what is too much, oldest first, but nothing that is in use, and not the newest."""
        leaving: list[Session] = []
        size = sum(slot.size for slot in self._slots.values())
        for key, slot in list(self._slots.items())[:-1]:
            if len(self._slots) <= self._most and size <= self._most_bytes:
                break
            if slot.users == 0 and slot.session is not None:
                del self._slots[key]
                size -= slot.size
                leaving.append(slot.session)
        self._evicted += len(leaving)
        return leaving

    def clear(self) -> None:
        """Close what nobody uses, forget the rest, and begin the counts again."""
        with self._lock:
            leaving = [s.session for s in self._slots.values() if s.users == 0 and s.session is not None]
            self._slots.clear()
            self._begin_counts()
        _close(leaving)

    def stats(self) -> dict[str, float]:
        """`kept` and their `bytes`; `hits`, `misses`, `evicted`; `load_seconds`, summed over the misses."""
        with self._lock:
            return {
                "kept": len(self._slots),
                "bytes": sum(slot.size for slot in self._slots.values()),
                "hits": self._hits,
                "misses": self._misses,
                "evicted": self._evicted,
                "load_seconds": self._load_seconds,
            }


class KeptSession(Session):
    """A handle on a network of the cache; may be held for as long as one likes."""

    def __init__(self, cache: Sessions, network: Network, target: Target, shape: Shape | None) -> None:
        self._cache = cache
        self.network, self.target, self.shape = network, target, shape
        self.key = key_of(network, target, shape)
        self.facts: RuntimeFacts
        self.inputs = ()
        self.outputs = ()

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        return self._cache.run(self, inputs)

    def held(self) -> AbstractContextManager[Any]:
        return self._cache.used(self)


def key_of(network: Network, target: Target, shape: Shape | None) -> str:
    """What tells two sessions apart: weights, the card's facts, variant, graph, target, shape."""
    weights = network.card.sha256 or hashlib.sha256(network.weights).hexdigest()
    others = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in network.others.items())
    graph: Any = None
    if network.onnx is not None:
        ends = hashlib.sha256(network.onnx[:ENDS] + network.onnx[-ENDS:]).hexdigest()
        graph = (len(network.onnx), ends)
    card = network.card
    return repr((card.name, card.facts_sha256, weights, others, sorted(network.variant.items()), graph, target,
                 shape))  # fmt: skip


def session(network: Network, target: Target, shape: Shape | None = None) -> KeptSession:
    """The network from the process's cache; see `Sessions.get`."""
    return _of_this_process.get(network, target, shape)


def clear() -> None:
    """Empty the process's cache."""
    _of_this_process.clear()


def stats() -> dict[str, float]:
    """Of the process's cache; see `Sessions.stats`."""
    return _of_this_process.stats()


def warm(networks: Iterable[tuple[Network, Shape]], target: Target) -> dict[str, dict[str, float]]:
    """Open each network and run one input of zeros of its shape; by card name `load_seconds`, `run_seconds`.

    A network that was open already has a `load_seconds` of almost nothing.
    """
    import numpy as np

    found: dict[str, dict[str, float]] = {}
    for network, shape in networks:
        began = time.perf_counter()
        opened = session(network, target, shape)
        loaded = time.perf_counter()
        opened.run([np.zeros(shape, np.float32)])
        found[network.card.name] = {
            "load_seconds": loaded - began,
            "run_seconds": time.perf_counter() - loaded,
        }
    return found


def _size(network: Network) -> int:
    return (
        len(network.weights) + len(network.onnx or b"") + sum(len(data) for data in network.others.values())
    )


def _close(leaving: Iterable[Session]) -> None:
    for gone in leaving:
        gone.close()


def _resident() -> int:
    """Bytes of memory of this process; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except (OSError, ValueError, IndexError):
        return 0


_of_this_process = Sessions(resident=_resident)
