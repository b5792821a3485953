"""Cutting and joining: every pixel once, edges on edges, and equality where the border is complete."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.core.errors import GovernanceError
from playe_assets.inference import tiling
from playe_assets.inference.tiling import Mosaic, layout, pipelined, reflected, smallest_tile


def joined(plan: tiling.Layout, picture: np.ndarray, scale: int = 1) -> tuple[np.ndarray, np.ndarray, Mosaic]:
    """`picture` (c, padded h, padded w) cut and joined again, and how often each px was written."""
    out = np.zeros((picture.shape[0], plan.height * scale, plan.width * scale), np.float32)
    count = np.zeros(out.shape[1:], int)

    def write(y: int, x: int, block: np.ndarray) -> None:
        out[:, y : y + block.shape[1], x : x + block.shape[2]] = block
        count[y : y + block.shape[1], x : x + block.shape[2]] += 1

    mosaic = Mosaic(plan, scale, picture.shape[0], write)
    for tile in plan.tiles:
        part = picture[:, tile.y : tile.y + plan.y.tile, tile.x : tile.x + plan.x.tile]
        mosaic.add(tile, part.repeat(scale, 1).repeat(scale, 2).copy())
    return out, count, mosaic


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 300), st.integers(1, 300), st.sampled_from(["halo", "overlap"]), st.integers(0, 9),
    st.sampled_from([1, 2, 8, 16]), st.integers(0, 60), st.booleans(), st.sampled_from([1, 2]),
)  # fmt: skip
def test_every_pixel_is_written_once_and_what_goes_in_comes_out(
    height, width, mode, border, multiple, more, fixed, scale
):
    tile = smallest_tile(mode, border, multiple) + more
    plan = layout(height, width, mode, tile, border, multiple, fixed)
    rng = np.random.default_rng(height * 301 + width)
    picture = rng.random((2, plan.y.length, plan.x.length)).astype(np.float32)
    out, count, mosaic = joined(plan, picture, scale)
    assert (count == 1).all()
    whole = picture[:, :height, :width].repeat(scale, 1).repeat(scale, 2)
    assert np.abs(out - whole).max() < 1e-6
    assert mosaic.seam_max < 1e-6
    assert plan.y.tile * plan.x.tile <= max(tile, multiple) ** 2 or plan.y.tile <= tile


@settings(max_examples=80, deadline=None)
@given(
    st.integers(70, 900), st.integers(70, 900), st.integers(0, 12), st.sampled_from([1, 4, 16]), st.booleans()
)
def test_in_halo_mode_each_tile_has_its_whole_border_on_both_sides_of_a_handover(
    height, width, border, multiple, fixed
):
    plan = layout(
        height, width, "halo", smallest_tile("halo", border, multiple) + 32, border, multiple, fixed
    )
    for axis in (plan.y, plan.x):
        assert axis.starts[0] == 0
        assert axis.starts[-1] + axis.tile == axis.length
        assert all(start % multiple == 0 for start in axis.starts)
        for k, px in enumerate(axis.handovers):
            assert px - axis.starts[k + 1] >= border
            assert axis.starts[k] + axis.tile - px - 1 >= border


def test_fixed_tiles_are_squares_of_the_size_that_was_asked_for():
    plan = layout(1000, 777, "halo", 256, 20, 8, fixed=True)
    assert (plan.y.tile, plan.x.tile) == (256, 256)


def test_free_tiles_compute_fewer_pixels_and_no_tile_is_larger_than_the_square():
    for height, width in ((360, 640), (1000, 777), (3000, 4000), (513, 513)):
        square = layout(height, width, "halo", 512, 34, 1, fixed=True)
        free = layout(height, width, "halo", 512, 34, 1, fixed=False)
        assert free.y.tile * free.x.tile <= 512 * 512
        assert free.computed <= square.computed
    assert len(layout(360, 640, "halo", 512, 34, 1, fixed=False).tiles) == 1


def test_a_picture_smaller_than_a_tile_is_taken_whole_padded_to_the_multiple_only():
    plan = layout(33, 47, "halo", 512, 34, 16)
    assert (plan.y.tile, plan.x.tile) == (48, 48)
    assert len(plan.tiles) == 1


def test_padding_mirrors_the_picture_even_where_it_is_shorter_than_the_padding():
    assert list(reflected(0, 7, 4)) == [0, 1, 2, 3, 2, 1, 0]
    assert list(reflected(0, 5, 1)) == [0, 0, 0, 0, 0]
    assert list(reflected(2, 6, 3)) == [2, 1, 0, 1, 2, 1]
    assert reflected(2, 4, 6) == slice(2, 6)


def test_a_tile_that_its_border_eats_up_is_refused():
    with pytest.raises(GovernanceError, match="64 px is too small for a border of 34 px"):
        layout(500, 500, "halo", 64, 34, 1)


def test_tiles_that_disagree_are_mixed_without_a_step_and_their_difference_is_measured():
    plan = layout(40, 200, "overlap", 100, 16, 1)
    out = np.zeros((1, 40, 200), np.float32)

    def write(y: int, x: int, block: np.ndarray) -> None:
        out[:, y : y + block.shape[1], x : x + block.shape[2]] = block

    mosaic = Mosaic(plan, 1, 1, write)
    for k, tile in enumerate(plan.tiles):
        mosaic.add(tile, np.full((1, plan.y.tile, plan.x.tile), 0.1 * (k + 1), np.float32))
    steps = np.abs(np.diff(out[0], axis=1))
    assert steps.max() < 0.1 / 16 * 2  # the steepest part of a raised cosine is pi/2 of the mean slope
    assert mosaic.seam_max == pytest.approx(0.1, abs=1e-6)
    assert mosaic.seam_mean == pytest.approx(0.1, abs=1e-6)


def test_items_are_prepared_run_and_finished_in_order_and_only_a_few_wait():
    waiting = threading.Semaphore(0)
    prepared: list[int] = []
    finished: list[int] = []
    most = 0

    def prepare(item: int) -> int:
        prepared.append(item)
        return item * 10

    def run(value: int) -> int:
        nonlocal most
        waiting.release()
        most = max(most, len(prepared) - len(finished))
        return value + 1

    def finish(item: int, value: int) -> None:
        waiting.acquire()
        assert value == item * 10 + 1
        finished.append(item)

    pipelined(range(50), prepare, run, finish)
    assert finished == list(range(50))
    assert most <= 2 * tiling.IN_FLIGHT + 3


@pytest.mark.parametrize("where", ["prepare", "run", "finish"])
def test_an_error_anywhere_ends_the_work_and_leaves_no_thread(where):
    def failing(name: str):
        def step(*given: int) -> int:
            if name == where and given[0] == 3:
                raise ValueError(name)
            return given[0]

        return step

    before = threading.active_count()
    with pytest.raises(ValueError, match=where):
        pipelined(range(20), failing("prepare"), failing("run"), failing("finish"))
    assert threading.active_count() == before
