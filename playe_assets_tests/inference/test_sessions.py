"""The cache of loaded networks: bounded, shared, and safe for those who hold a handle."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any

import numpy as np
import pytest

from playe_assets.core.errors import MissingResourceError
from playe_assets.inference.contract import Network, Runtime, Session, Target
from playe_assets.inference.sessions import Sessions
from playe_assets_tests.inference.checkpoints import card_of

GIVEN = [np.zeros((1, 3, 4, 4), np.float32)]


class Counted(Session):
    """A network that adds one; it knows whether it was closed."""

    def __init__(self) -> None:
        self.facts: Any = None
        self.inputs, self.outputs = ("input",), ("output",)
        self.closed = False

    def run(self, inputs: Any) -> Any:
        assert not self.closed
        return [inputs[0] + 1]

    def close(self) -> None:
        self.closed = True


class Pretended(Runtime):
    """Opens slowly, so that concurrent first uses meet."""

    name = "pretended"
    reference = "this test"
    opened: list[Counted] = []  # noqa: RUF012
    fails = 0

    def check(self) -> None:
        pass

    def open(self, network: Network, shape: Any) -> Session:
        time.sleep(0.05)
        if Pretended.fails:
            Pretended.fails -= 1
            raise MissingResourceError("runtime.torch_absent", problem="as this test wants")
        Pretended.opened.append(Counted())
        return Pretended.opened[-1]


@pytest.fixture(autouse=True)
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended.opened, Pretended.fails = [], 0
    monkeypatch.setattr("playe_assets.inference.sessions.RUNTIMES", {"pretended": Pretended})


def network(name: str, size: int = 10) -> Network:
    return Network(card_of(name), name.encode().ljust(size))


TARGET = Target("pretended")


def test_concurrent_first_uses_load_once() -> None:
    cache = Sessions()
    threads = [threading.Thread(target=lambda: cache.get(network("A"), TARGET).run(GIVEN)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Pretended.opened) == 1
    assert cache.stats()["misses"] == 1
    assert cache.stats()["load_seconds"] > 0


def test_the_least_recently_used_leaves_and_is_closed() -> None:
    cache = Sessions(most=2)
    for name in ("A", "B", "A", "C"):
        cache.get(network(name), TARGET)
    assert [session.closed for session in Pretended.opened] == [False, True, False]
    assert cache.stats()["kept"] == 2
    assert cache.stats()["evicted"] == 1


def test_the_bytes_are_bounded_too() -> None:
    cache = Sessions(most_bytes=250)
    for name in ("A", "B", "C"):
        cache.get(network(name, 100), TARGET)
    assert cache.stats()["bytes"] == 200


def test_what_the_process_grows_by_in_opening_and_first_running_a_network_counts_and_the_newest_stays() -> (
    None
):
    memory = iter([0, 10, 10, 500, 500, 500, 500, 500])
    cache = Sessions(most_bytes=250, resident=lambda: next(memory))
    handle = cache.get(network("A", 100), TARGET)
    assert cache.stats()["bytes"] == 110
    handle.run(GIVEN)
    handle.run(GIVEN)
    assert cache.stats()["bytes"] == 600, "the second run is not measured again"
    assert not Pretended.opened[0].closed, "closed after each tile it would be opened for each"
    cache.get(network("B", 100), TARGET)
    assert Pretended.opened[0].closed
    assert cache.stats()["bytes"] == 100


def test_a_network_that_is_held_for_a_picture_is_not_closed_between_two_tiles() -> None:
    cache = Sessions(most=1)
    handle = cache.get(network("A"), TARGET)
    with handle.held():
        handle.run(GIVEN)
        cache.get(network("B"), TARGET)
        handle.run(GIVEN)
    assert len(Pretended.opened) == 2
    assert cache.stats()["kept"] == 1


def test_a_handle_outlives_the_eviction_of_its_network() -> None:
    cache = Sessions(most=1)
    handle = cache.get(network("A"), TARGET)
    cache.get(network("B"), TARGET)
    assert Pretended.opened[0].closed
    assert handle.run(GIVEN)[0].max() == 1
    assert len(Pretended.opened) == 3


def test_a_network_in_use_is_not_closed_under_its_user() -> None:
    cache = Sessions(most=1)
    handle = cache.get(network("A"), TARGET)
    with cache.used(handle) as session:
        cache.get(network("B"), TARGET)
        assert session.run(GIVEN)
    assert cache.stats()["kept"] == 1


def test_a_failure_reaches_every_waiting_thread_and_the_next_call_tries_again() -> None:
    cache = Sessions()
    Pretended.fails = 1
    failures: list[BaseException] = []

    def use() -> None:
        try:
            cache.get(network("A"), TARGET)
        except MissingResourceError as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures
    assert cache.get(network("A"), TARGET).run(GIVEN)


def test_what_differs_is_loaded_apart() -> None:
    cache = Sessions()
    base = network("A")
    cache.get(base, TARGET)
    cache.get(dataclasses.replace(base, variant={"w": 0.5}), TARGET)
    cache.get(base, TARGET, (1, 3, 4, 4))
    cache.get(base, dataclasses.replace(TARGET, threads=1))
    cache.get(dataclasses.replace(base, weights=b"other"), TARGET)
    other = dataclasses.replace(base.card, hyper={**base.card.hyper, "window": 9})
    cache.get(dataclasses.replace(base, card=other), TARGET)
    assert len(Pretended.opened) == 6


def test_clearing_closes_what_is_kept() -> None:
    cache = Sessions()
    cache.get(network("A"), TARGET)
    cache.clear()
    assert Pretended.opened[0].closed
    assert cache.stats()["kept"] == 0
