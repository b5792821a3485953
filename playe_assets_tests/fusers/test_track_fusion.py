"""Track fusion against rendered clips with known truth: it gains, it reads right, and it averages nothing away."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from playe_assets.core.canonical import to_plain
from playe_assets_tests.fusers.parameters import crops, fuser, inside, psnr, truth
from playe_assets_tests.rendered_clips import Scene, render

REF = 8


@pytest.fixture(scope="module")
def sign():
    return render(Scene("sign", frames=20))


@pytest.fixture(scope="module")
def crossed():
    return render(Scene("sign", frames=20, seed=5, crossing=(6, 11)))


@pytest.fixture(scope="module")
def fused(sign):
    return fuser().fuse(crops(sign, sign.pixels, REF))


def _single(sign, made, frame):
    crop = crops(sign, sign.pixels, frame)[frame]
    high, wide = crop.pixels.shape[:2]
    large = cv2.resize(crop.pixels, (wide * 2, high * 2), interpolation=cv2.INTER_LANCZOS4)
    place = inside(crop, 2)
    return psnr(large[place], truth(sign, frame, 2)[place])


def test_twenty_frames_gain_at_least_three_decibels_over_the_best_single_one(sign, fused):
    place = inside(crops(sign, sign.pixels, REF)[REF], 2)
    best = max(_single(sign, sign.pixels, n) for n in range(20))
    assert psnr(fused.pixels[place], truth(sign, REF, 2)[place]) >= best + 3.0


def test_shapes_types_and_measures_are_as_the_contract_says(sign, fused):
    crop = crops(sign, sign.pixels, REF)[REF]
    high, wide = crop.pixels.shape[:2]
    assert fused.pixels.shape == fused.single.shape == (2 * high, 2 * wide, 3)
    assert fused.uncertainty.shape == fused.contributors.shape == (2 * high, 2 * wide, 1)
    assert fused.pixels.dtype == fused.uncertainty.dtype == fused.contributors.dtype == np.uint8
    assert fused.reference_frame == REF and REF in fused.frames
    assert fused.measured["frames_used"] == len(fused.frames) == 20
    assert fused.measured["registration_residual_px"] < 0.25
    assert 4.0 < fused.measured["noise_sigma"] < 9.0  # 6 were rendered
    assert fused.contributors.max() <= 20 and fused.contributors.min() >= 1


def test_registration_finds_the_true_offsets_within_a_tenth_of_a_pixel(sign):
    from collections import Counter

    from playe_assets.fusers.crops import Working, chosen, registered
    from playe_assets_tests.fusers.parameters import window

    reference, others = chosen(crops(sign, sign.pixels, REF), fuser().params, Counter())
    fits = registered(Working.of(reference), others, fuser().params, Counter())
    middle = np.array([reference.x + reference.width / 2 - 0.5, reference.y + reference.height / 2 - 0.5])
    assert len(fits) == 19
    for one in fits:
        moved = one.fit.matrix @ np.append(middle, 1.0) - middle
        true = sign.offsets[one.crop.frame] - sign.offsets[REF]
        true = true - np.array(window(sign, one.crop.frame)[:2]) + np.array(window(sign, REF)[:2])
        assert np.hypot(*(moved - true)) < 0.1


def test_a_thing_that_crosses_in_the_reference_frame_stays_in_the_picture(crossed):
    """Five of twenty frames show the bar, each elsewhere; the average would leave a faint smear of it."""
    made = fuser().fuse(crops(crossed, crossed.pixels, REF))
    crop = crops(crossed, crossed.pixels, REF)[REF]
    bar = np.kron(_bar(crossed, REF, crop), np.ones((2, 2))) > 0
    core = cv2.erode(bar.astype(np.uint8), np.ones((5, 5))) > 0
    colour = np.median(made.pixels[core], axis=0)
    assert np.abs(colour - (120, 30, 25)).max() < 12
    assert np.median(made.contributors[core]) == 1


def test_a_thing_that_crosses_only_in_other_frames_leaves_no_ghost(crossed):
    clean = crops(crossed, crossed.pixels, 2)
    made = fuser().fuse(clean)
    without = fuser().fuse([c for c in clean if not 6 <= c.frame < 11])
    place = inside(clean[2], 2)
    expected = truth(crossed, 2, 2)[place]
    # As good as if the frames with the bar had never been there, to a tenth of what a ghost would cost.
    assert psnr(made.pixels[place], expected) > psnr(without.pixels[place], expected) - 0.5
    reddish = made.pixels[place][:, :, 0].astype(int) - made.pixels[place][:, :, 2]
    true = expected[:, :, 0].astype(int) - expected[:, :, 2]
    assert np.percentile(np.abs(reddish - true), 99) < 60  # the bar itself differs by 110 from the sign


def _bar(made, frame, crop):
    from playe_assets_tests.fusers.parameters import window

    x0, y0, x1, y1 = window(made, frame)
    return made.crossed(frame)[y0:y1, x0:x1]


def test_a_faint_spot_in_the_reference_alone_is_kept(sign):
    """As strong as twice the noise, 6 px wide: no single px would show it."""
    given = crops(sign, sign.pixels, REF)
    crop = given[REF]
    top, left = round(crop.y + 3), round(crop.x + 4)
    spotted = crop.pixels.astype(int)
    spotted[top : top + 6, left : left + 6] -= 20
    given[REF] = dataclasses.replace(crop, pixels=spotted.clip(0, 255).astype(np.uint8))
    made = fuser().fuse(given)
    clean = fuser().fuse(crops(sign, sign.pixels, REF))
    inner = (slice(2 * top + 3, 2 * top + 9), slice(2 * left + 3, 2 * left + 9))
    assert clean.pixels[inner].mean() - made.pixels[inner].mean() > 12


def test_a_slow_turn_is_followed():
    made = render(Scene("sign", frames=12, seed=4, turn_degrees=2.0))
    found = fuser().fuse(crops(made, made.pixels, 8))
    assert found.measured["frames_used"] == 12
    crop = crops(made, made.pixels, 8)[8]
    place = inside(crop, 2)
    assert psnr(found.pixels[place], truth(made, 8, 2)[place]) >= psnr(
        found.single[place], truth(made, 8, 2)[place]) + 3.0  # fmt: skip


def test_crops_that_cannot_contribute_are_counted_by_reason(sign):
    given = crops(sign, sign.pixels, REF)
    given[0] = dataclasses.replace(given[0], corrupt=True)
    given[2] = dataclasses.replace(given[2], pixels=given[1].pixels.copy())
    given[3] = dataclasses.replace(given[3], width=3.0)
    rng = np.random.default_rng(1)
    given[4] = dataclasses.replace(given[4], pixels=rng.integers(0, 255, given[4].pixels.shape, np.uint8))
    made = fuser(most_crops=17).fuse(given)
    assert made.refused["corrupt"] == 1 and made.refused["repeated"] == 1 and made.refused["size"] == 1
    assert made.refused["quality"] == 1
    assert made.refused.get("registration", 0) + made.refused.get("residual", 0) == 1
    assert len(made.frames) == 20 - sum(made.refused.values())


def test_too_few_crops_give_no_picture_but_reasons(sign):
    worker = fuser()
    given = [dataclasses.replace(c, corrupt=True) for c in crops(sign, sign.pixels, REF)[:17]]
    assert worker.fuse(given) is None
    assert worker.refused == {"corrupt": 17}
    assert worker.fuse([]) is None


def test_the_same_crops_give_the_same_bits_with_any_number_of_threads(sign):
    given = crops(sign, sign.pixels, REF)[:8]
    before = cv2.getNumThreads()
    made = []
    for threads in (1, 4):
        cv2.setNumThreads(threads)
        made.append(fuser().fuse(given))
    cv2.setNumThreads(before)
    for name in ("pixels", "uncertainty", "contributors", "single"):
        assert np.array_equal(getattr(made[0], name), getattr(made[1], name))
    assert to_plain(made[0].measured) == to_plain(made[1].measured)


def test_grey_and_sixteen_bits_give_what_eight_bits_give(sign):
    given = crops(sign, sign.pixels, REF)[:8]
    deep = fuser().fuse([dataclasses.replace(c, pixels=c.pixels.astype(np.uint16) * 257) for c in given])
    eight = fuser().fuse(given)
    assert deep.pixels.dtype == np.uint16
    assert np.abs(deep.pixels / 257.0 - eight.pixels).max() < 1.01
    grey = fuser().fuse([dataclasses.replace(c, pixels=c.pixels[:, :, 1:2].copy()) for c in given])
    assert grey.pixels.shape[2] == 1 and grey.measured["frames_used"] == 8


def test_no_input_is_changed(sign):
    given = crops(sign, sign.pixels, REF)[:6]
    before = [c.pixels.copy() for c in given]
    fuser().fuse(given)
    assert all(np.array_equal(a, c.pixels) for a, c in zip(before, given, strict=True))


def test_the_uncertainty_map_covers_what_new_noise_changes(sign):
    """The same scene with other noise: the pictures' spread against the standard error that each one states."""
    made = [fuser().fuse(crops(one, one.pixels, 4)) for one in
            (dataclasses.replace(sign, pixels=_renoised(sign, seed)) for seed in (1, 2, 3))]  # fmt: skip
    spread = np.std([m.pixels.astype(float) for m in made], axis=0, ddof=1).mean(axis=2)
    stated = np.mean([m.uncertainty[:, :, 0] for m in made], axis=0) / 8.0
    place = inside(crops(sign, sign.pixels, 4)[4], 2)
    ratio = np.sqrt(np.mean(stated[place] ** 2) / np.mean(spread[place] ** 2))
    # Too large rather than too small: at edges the samples' scatter, which noise alone does not make, counts.
    assert 0.9 < ratio < 4.0


def _renoised(sign, seed):
    rng = np.random.default_rng(seed)
    clean = np.stack([cv2.GaussianBlur(sign.truth(n, 8).astype(np.float32), (0, 0), 4.0) for n in range(6)])
    high, wide = sign.pixels.shape[1:3]
    seen = clean.reshape(6, high, 8, wide, 8, 3).mean(axis=(2, 4))
    return (seen + rng.normal(0, 6.0, seen.shape)).round().clip(0, 255).astype(np.uint8)
