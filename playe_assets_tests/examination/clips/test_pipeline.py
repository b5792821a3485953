"""Stages at work at the same time give what they would give one after the other, and leave nothing behind."""

from __future__ import annotations

import threading
import time

import pytest

from playe_assets.examination.clips.pipeline import Chain, overlapped


def _threads() -> int:
    return sum(t.name == "clip-stage" for t in threading.enumerate())


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_items_come_in_order_whatever_the_depth(depth):
    assert list(overlapped(overlapped(iter(range(50)), depth), depth)) == list(range(50))
    assert _threads() == 0


def test_no_more_than_the_depth_is_pulled_ahead():
    pulled = []

    def source():
        for n in range(100):
            pulled.append(n)
            yield n

    taken = overlapped(source(), 3)
    assert next(taken) == 0
    time.sleep(0.1)
    assert len(pulled) <= 1 + 3 + 1  # taken, waiting, in the thread's hand
    taken.close()
    assert _threads() == 0


def test_an_exception_comes_through_in_its_turn():
    def source():
        yield 1
        raise ValueError("in the middle")

    taken = overlapped(overlapped(source()))
    assert next(taken) == 1
    with pytest.raises(ValueError, match="in the middle"):
        next(taken)
    assert _threads() == 0


def test_closing_early_ends_every_thread_and_closes_every_source():
    closed = []

    def source(name):
        try:
            yield from range(10**6)
        finally:
            closed.append((name, threading.current_thread().name))

    def step(name, items):
        try:
            yield from items
        finally:
            closed.append((name, threading.current_thread().name))

    with Chain() as chain:
        items = chain.add(overlapped(chain.add(source("source"))))
        items = chain.add(overlapped(chain.add(step("step", items))))
        assert [next(items) for _ in range(3)] == [0, 1, 2]
    assert sorted(closed) == [("source", "clip-stage"), ("step", "clip-stage")]
    assert _threads() == 0


def test_a_taker_that_fails_leaves_no_thread():
    def source():
        yield from range(10**6)

    def broken(chain):
        with chain:
            for _ in chain.add(overlapped(chain.add(source()))):
                raise RuntimeError("the encoder")

    with pytest.raises(RuntimeError, match="the encoder"):
        broken(Chain())
    assert _threads() == 0


def test_what_was_never_asked_for_starts_no_thread():
    overlapped(iter(range(3)))
    assert _threads() == 0
