"""Alignment is the least-squares similarity, and pixels follow it to a small part of a pixel, both ways."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.inference.faces.align import (
    ARCFACE,
    ARCFACE_SIDE,
    FFHQ,
    FFHQ_SIDE,
    aligned,
    misfit,
    scale_of,
    similarity,
)


def turned(points, scale, degrees, shift):
    turn = np.deg2rad(degrees)
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return tuple((float(x), float(y)) for x, y in np.array(points) @ rotation.T + shift)


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0.0), (0.2, 37.0), (3.0, -120.0), (1.5, 180.0)])
def test_an_exact_similarity_is_found_again(scale, degrees):
    source = turned(FFHQ, scale, degrees, (40.0, -17.0))
    matrix = similarity(source, FFHQ)
    assert scale_of(matrix) == pytest.approx(1 / scale)
    assert misfit(matrix, source, FFHQ) < 1e-9


def test_with_noise_it_is_umeyama_s_solution_as_scikit_image_gives_it():
    from skimage.transform import SimilarityTransform

    rng = np.random.default_rng(3)
    for _ in range(20):
        noisy = np.array(turned(FFHQ, rng.uniform(0.1, 3), rng.uniform(-180, 180), rng.uniform(-50, 50, 2)))
        noisy = noisy + rng.normal(0, 4, (5, 2))
        theirs = SimilarityTransform.from_estimate(noisy, np.array(ARCFACE))
        assert np.allclose(similarity(tuple(map(tuple, noisy)), ARCFACE), theirs.params[:2], atol=1e-6)


def test_a_mirrored_face_is_not_mirrored_back_but_fits_badly():
    mirrored = tuple((511 - x, y) for x, y in FFHQ)
    matrix = similarity(mirrored, FFHQ)
    assert np.linalg.det(matrix[:, :2]) > 0
    assert misfit(matrix, mirrored, FFHQ) > 20


def test_points_at_one_place_are_no_face():
    with pytest.raises(ValueError, match="one place"):
        similarity(((3.0, 4.0),) * 5, FFHQ)


@pytest.mark.parametrize(("template", "side"), [(FFHQ, FFHQ_SIDE), (ARCFACE, ARCFACE_SIDE)])
@pytest.mark.parametrize("scale", [0.15, 0.4, 1.0, 1.7])
def test_marks_on_the_points_of_a_face_lie_on_the_template_of_the_crop(template, side, scale):
    points = turned(template, scale * FFHQ_SIDE / side, 23.0, (400.0, 20.0))
    sigma = max(1.0, 6 * scale)
    y, x = np.mgrid[0:1100, 0:1300]
    pixels = np.zeros((1100, 1300, 1))
    for px, py in points:
        pixels[:, :, 0] += np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2))
    crop = aligned(np.rint(pixels * 60000).astype(np.uint16), similarity(points, template), side, 0.5)
    assert crop.shape == (side, side, 1) and crop.dtype == np.float32
    rows, columns = np.mgrid[0:side, 0:side]
    for px, py in template:
        near = crop[:, :, 0] * (np.hypot(columns - px, rows - py) < 0.11 * side)
        centre = np.array([(columns * near).sum(), (rows * near).sum()]) / near.sum()
        assert np.abs(centre - (px, py)).max() < 0.1


def test_a_crop_that_is_coarser_than_the_frame_shows_no_moire():
    stripes = np.zeros((1200, 1200, 1), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 255  # a period of 4 px is less than half a px of the crop
    points = turned(FFHQ, 2.3, 0.0, (10.0, 10.0))
    plain, smooth = (aligned(stripes, similarity(points, ARCFACE), ARCFACE_SIDE, a) for a in (0.0, 0.5))
    assert plain[20:90, 20:90].std() > 0.1
    assert smooth[20:90, 20:90].std() < 0.01


def test_beyond_the_frame_its_border_repeats_and_full_scale_is_one():
    white = np.full((50, 60, 3), 65535, np.uint16)
    crop = aligned(white, similarity(turned(FFHQ, 0.2, 0.0, (-60.0, 20.0)), FFHQ), FFHQ_SIDE, 0.5)
    assert crop.min() > 0.999999 and crop.max() == 1.0
