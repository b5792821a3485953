"""How far two pictures or clips are apart: known differences come out exactly."""

from __future__ import annotations

import resource

import av
import numpy as np
import pytest

from playe_assets.examination.rerun_level import L2_FLOOR, share_apart
from playe_assets.examination.rerun_samples import clips_apart, pictures_apart
from playe_assets.examination.stage import silent
from playe_assets.media.png import write_png
from playe_assets_tests.plugins import scene


def _clip(path, frames, change=None, size=(64, 96)):
    """Lossless RGB frames; `change(number, pixels)` may alter one."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "bgr0"
        for number in range(frames):
            pixels = scene(*size, seed=number % 5).copy()
            if change is not None:
                change(number, pixels)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def test_the_first_frame_that_differs_the_largest_and_the_mean_difference_are_told(tmp_path):
    def change(number, pixels):
        if number in (3, 5):
            pixels[10, 20, 1] ^= 1 if number == 3 else 4

    one, other = _clip(tmp_path / "a.mkv", 8), _clip(tmp_path / "b.mkv", 8, change)
    apart = clips_apart(one, other, silent, "D001")
    assert (apart.most, apart.first_frame, apart.frames_differing) == (4.0, 3, 2)
    assert apart.mean == pytest.approx((1 + 4) / (8 * 64 * 96 * 3))
    same = clips_apart(one, one, silent, "D001")
    assert (same.most, same.mean, same.first_frame, same.frames_differing) == (0.0, 0.0, None, 0)


def test_other_numbers_of_frames_and_other_sizes_are_not_compared(tmp_path):
    one = _clip(tmp_path / "a.mkv", 6)
    assert clips_apart(one, _clip(tmp_path / "b.mkv", 5), silent, "D001") is None
    assert clips_apart(one, _clip(tmp_path / "c.mkv", 6, size=(48, 96)), silent, "D001") is None


@pytest.mark.parametrize(("depth", "step", "units"), [(np.uint8, 2, 2.0), (np.uint16, 257, 1.0)])
def test_differences_of_pictures_are_told_in_units_of_eight_bits(tmp_path, depth, step, units):
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 200, (70, 50, 3)).astype(depth)
    moved = pixels.copy()
    moved[60, 40, 2] += step
    for name, held in (("a", pixels), ("b", moved)):
        write_png(tmp_path / f"{name}.png", held, None, None, {}, 3)
    apart = pictures_apart(tmp_path / "a.png", tmp_path / "b.png")
    assert apart.most == pytest.approx(units) and apart.mean == pytest.approx(units / pixels.size)
    write_png(tmp_path / "c.png", pixels[:60], None, None, {}, 3)
    assert pictures_apart(tmp_path / "a.png", tmp_path / "c.png") is None


def test_memory_does_not_grow_with_the_length_of_a_clip(tmp_path):
    one, long = (
        _clip(tmp_path / "a.mkv", 20, size=(240, 320)),
        _clip(tmp_path / "b.mkv", 120, size=(240, 320)),
    )
    clips_apart(one, one, silent, "D001")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clips_apart(long, long, silent, "D001")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 20, f"{grown:.0f} MiB"  # 120 frames of two clips would be 55 MB


def test_shares_are_of_the_larger_value_and_rounding_is_none():
    assert share_apart(10.0, 9.0) == pytest.approx(0.1) and share_apart(9.0, 10.0) == pytest.approx(0.1)
    assert share_apart(0.0, L2_FLOOR) == 0.0 and share_apart(5.0, None) == 1.0
