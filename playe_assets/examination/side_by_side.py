"""Two photographs at a time: while a network works on one, the other is decoded, encoded and hashed.

The engines themselves take turns (`inference/loaded.py` holds one lock a device), so that the second thread
adds no load where the first one fills the processor; it uses the moments in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2


def side_by_side(
    items: Sequence[Item], work: Callable[[Item], Result], alone: Callable[[Item], bool]
) -> Iterator[tuple[Item, Result]]:
    """`(item, work(item))` in the order of `items`, at most `WORKERS` at a time.

    An item that is `alone` (a clip, a very large photograph) runs while nothing else does. An exception of
    `work` is raised in its item's turn; what had begun is waited for first.
    """
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="exhibit") as pool:
        running: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                if alone(item):
                    while running:
                        yield _next(running)
                    yield item, work(item)
                    continue
                if len(running) == WORKERS:
                    yield _next(running)
                running.append((item, pool.submit(work, item)))
            while running:
                yield _next(running)
        finally:
            for _, future in running:
                future.cancel()


def _next(running: deque[tuple[Item, Future[Result]]]) -> tuple[Item, Result]:
    item, future = running.popleft()
    return item, future.result()
