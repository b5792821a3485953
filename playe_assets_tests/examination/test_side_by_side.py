"""Two photographs at a time: the order stays, what is alone is alone, and an error comes in its turn."""

from __future__ import annotations

import threading

import pytest

from playe_assets.examination.side_by_side import WORKERS, side_by_side


def never(_item):
    return False


def test_results_come_in_the_order_of_the_items_whichever_ends_first():
    second_is_done = threading.Event()

    def work(item):
        if item == 0:
            assert second_is_done.wait(10)
        if item == 1:
            second_is_done.set()
        return item * 10

    assert list(side_by_side(range(5), work, never)) == [(i, i * 10) for i in range(5)]


def test_no_more_than_two_run_at_once_and_what_is_alone_runs_alone():
    lock, now, most, beside = threading.Lock(), set(), [0], []

    def work(item):
        with lock:
            now.add(item)
            most[0] = max(most[0], len(now))
            if item == 3:
                beside.append(now - {3})
        threading.Event().wait(0.02)
        with lock:
            now.discard(item)
            if item == 3:
                beside.append(set(now))

    assert [i for i, _ in side_by_side(range(8), work, lambda i: i == 3)] == list(range(8))
    assert most[0] == WORKERS
    assert beside == [set(), set()]


def test_an_error_is_raised_in_its_items_turn_and_nothing_new_begins_after_it():
    begun = []

    def work(item):
        begun.append(item)
        if item == 1:
            raise ValueError("broken")
        return item

    seen = []
    with pytest.raises(ValueError, match="broken"):
        for item, _ in side_by_side(range(9), work, never):
            seen.append(item)
    assert seen == [0]
    assert len(begun) <= 1 + WORKERS + 1


def test_nothing_to_do_gives_nothing():
    assert list(side_by_side([], never, never)) == []
