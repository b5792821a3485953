"""Stages of a stream at work at the same time: each pulls in a thread of its own, a few items ahead of the next.

cv2, PyAV and hashlib let go of the interpreter while they work, so threads suffice. What comes out, and in
which order, does not depend on `DEPTH` or on the threads' speed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from queue import Empty, Queue
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

DEPTH = 2
"""Items that wait between two stages. One more smooths uneven stages and costs one frame of memory each."""


@dataclass(frozen=True)
class _End:
    problem: BaseException | None


class _Stage(Generic[T]):
    """The thread that pulls `items` and the queue that it fills."""

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self.items = items
        self.room: Queue[T | _End] = Queue(maxsize=depth)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._pull, name="clip-stage", daemon=True)

    def _pull(self) -> None:
        problem: BaseException | None = None
        try:
            for item in self.items:
                self.room.put(item)
                if self.stop.is_set():
                    break
        except BaseException as raised:  # noqa: BLE001 (it is raised again where the items are taken)
            problem = raised
        try:  # here, not by the taker: a generator may be closed only by the thread that runs it
            _close(self.items)
        except BaseException as raised:  # noqa: BLE001
            problem = problem or raised
        if not self.stop.is_set():
            self.room.put(_End(problem))

    def end(self) -> None:
        """Stop pulling and wait for the thread; it holds at most one item more."""
        self.stop.set()
        while True:  # room for an item that the thread is about to leave
            try:
                self.room.get_nowait()
            except Empty:
                break
        self.thread.join()


def overlapped(items: Iterator[T], depth: int = DEPTH) -> Iterator[T]:
    """The same items in the same order, pulled ahead by a thread, at most `depth` waiting (at least 1).

    An exception of `items` is raised when its turn comes. Closing this generator ends the thread and closes
    `items` before it returns. The thread starts with the first item that is asked for.
    """
    stage = _Stage(items, depth)
    stage.thread.start()
    try:
        while True:
            item = stage.room.get()
            if isinstance(item, _End):
                if item.problem is not None:
                    raise item.problem
                return
            yield item
    finally:
        stage.end()


class Chain:
    """Generators that pull from one another, closed from the last to the first when the block ends.

    Left to the garbage collector, a generator inside would be closed whenever a traceback lets go of it.
    """

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def add(self, items: Iterator[T]) -> Iterator[T]:
        """`items`, to be closed with the chain, if it can be closed."""
        self._open.callback(_close, items)
        return items


def _close(items: Iterator[T]) -> None:
    close = getattr(items, "close", None)
    if close is not None:
        close()
