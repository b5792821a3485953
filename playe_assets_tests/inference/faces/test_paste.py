"""The soft mask is exactly 0 at its margin and 1 in its middle, and pasting adds just what it is given."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.inference.faces.align import FFHQ, FFHQ_SIDE, similarity
from playe_assets.inference.faces.paste import SHAPES, paste, soft_mask


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("margin", "feather"), [(0, 0.0), (16, 16.0), (40, 4.0), (96, 48.0)])
def test_the_mask_is_nothing_over_its_margin_everything_in_its_middle_and_even(shape, margin, feather):
    mask = soft_mask(FFHQ_SIDE, shape, margin, feather)
    assert mask.dtype == np.float32 and mask.min() >= 0 and mask.max() <= 1 + 1e-6
    if margin:
        assert not mask[:margin].any() and not mask[:, -margin:].any()
    if (margin, feather) != (96, 48.0):
        assert mask[256, 256] == pytest.approx(1.0, abs=1e-6)
    assert np.allclose(mask, mask[::-1]) and np.allclose(mask, mask.T)


def test_a_box_holds_more_than_an_ellipse_and_feather_makes_no_step():
    box, ellipse = (soft_mask(FFHQ_SIDE, shape, 16, 16.0) for shape in SHAPES[::-1])
    assert box.sum() > ellipse.sum()
    assert np.abs(np.diff(box, axis=0)).max() < 0.03


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_constant_change_arrives_whole_inside_and_not_at_all_outside(dtype):
    full = np.iinfo(dtype).max
    pixels = np.full((300, 400, 3), full // 4, dtype)
    covered = np.zeros((300, 400), np.uint8)
    points = tuple((100 + 0.3 * x, 50 + 0.3 * y) for x, y in FFHQ)
    change = np.full((512, 512, 3), 0.25, np.float32)
    mask = soft_mask(FFHQ_SIDE, "box", 16, 4.0)
    total = paste(pixels, covered, change, mask, similarity(points, FFHQ), 0.5)
    inside = pixels[127 - 20 : 127 + 20, 177 - 20 : 177 + 20]
    assert np.abs(inside.astype(float) - (full // 4 + 0.25 * full)).max() <= 1
    assert (pixels[covered == 0] == full // 4).all()
    assert total == pytest.approx((pixels.astype(float) - full // 4).sum() / full, rel=1e-6)
    assert (covered > 0).sum() == pytest.approx((0.3 * (512 - 32)) ** 2, rel=0.05)


def test_an_overshoot_is_cut_at_full_scale_and_never_wraps():
    points = tuple((100 + 0.3 * x, 50 + 0.3 * y) for x, y in FFHQ)
    for start, step in ((250, 0.5), (5, -0.5)):
        pixels = np.full((300, 400, 1), start, np.uint8)
        change = np.full((512, 512, 1), step, np.float32)
        paste(pixels, np.zeros((300, 400), np.uint8), change, soft_mask(512, "ellipse", 16, 8.0),
              similarity(points, FFHQ), 0.5)  # fmt: skip
        assert pixels[127, 177, 0] == (255 if step > 0 else 0)
        assert pixels.min() >= min(start, 0) and (pixels >= start if step > 0 else pixels <= start).all()


def test_a_face_that_lies_wholly_outside_changes_nothing():
    pixels = np.full((60, 60, 1), 90, np.uint8)
    points = tuple((500 + x, 500 + y) for x, y in FFHQ)
    mask = soft_mask(512, "box", 16, 4.0)
    assert paste(pixels, np.zeros((60, 60), np.uint8), np.ones((512, 512, 1), np.float32), mask,
                 similarity(points, FFHQ), 0.5) == 0.0  # fmt: skip
    assert (pixels == 90).all()
