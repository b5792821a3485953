"""Outputs made by hand decode to the boxes that they were made for; suppression keeps the better box."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.inference.objects.decode import Found, fastestdet, suppressed, yolov8
from playe_assets.inference.objects.names import COCO, GROUP_OF, GROUPS


def found(*rows):
    """Rows (x1, y1, x2, y2, score, class)."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Found(table[:, :4], table[:, 4], table[:, 5].astype(np.intp))


def test_yolov8_gives_corners_the_best_class_and_only_what_is_above_the_threshold():
    output = np.zeros((84, 3), np.float32)
    output[:4, 0], output[4 + 2, 0], output[4 + 7, 0] = (100, 50, 20, 10), 0.6, 0.5
    output[:4, 1], output[4 + 0, 1] = (10, 10, 4, 4), 0.25
    output[:4, 2], output[4 + 15, 2] = (10, 10, 4, 4), 0.9
    got = yolov8(output, 0.25)
    assert got.boxes.tolist() == [[90, 45, 110, 55], [8, 8, 12, 12]]
    assert [COCO[c] for c in got.classes] == ["car", "cat"] and got.scores.tolist() == pytest.approx(
        [0.6, 0.9]
    )
    assert yolov8(output, 0.25, wanted=(15,)).classes.tolist() == [15]
    assert len(yolov8(output, 0.25, wanted=())) == 0


def test_a_class_that_is_not_sought_does_not_hand_its_box_to_the_second_best():
    output = np.zeros((84, 1), np.float32)
    output[4 + 2, 0], output[4 + 7, 0] = 0.6, 0.5
    assert len(yolov8(output, 0.25, wanted=(7,))) == 0


def test_fastestdet_places_the_box_by_its_cell_and_weighs_both_scores():
    output = np.zeros((85, 22, 22), np.float32)
    output[0, 5, 11], output[5 + 16, 5, 11] = 0.5, 0.8
    output[1:5, 5, 11] = (np.arctanh(0.5), np.arctanh(-0.5), 0.0, -np.log(3))
    got = fastestdet(output, 0.3)
    centre = ((11 + 0.5) / 22, (5 - 0.5) / 22)
    expected = (centre[0] - 0.25, centre[1] - 0.125, centre[0] + 0.25, centre[1] + 0.125)
    np.testing.assert_allclose(got.boxes, [expected], atol=1e-6)
    assert COCO[got.classes[0]] == "dog" and got.scores[0] == pytest.approx(0.5**0.6 * 0.8**0.4)


def test_the_better_of_two_boxes_of_one_class_stays_and_other_classes_are_left_alone():
    rows = [(0, 0, 10, 10, 0.5, 1), (1, 0, 11, 10, 0.9, 1), (1, 0, 11, 10, 0.4, 2), (30, 0, 40, 10, 0.3, 1)]
    kept = suppressed(found(*rows), 0.7, 10)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.4, 0.3])
    assert len(suppressed(found(*rows), 0.85, 10)) == 4
    assert suppressed(found(*rows), 0.7, 2).scores.tolist() == pytest.approx([0.9, 0.4])


def test_nothing_and_boxes_without_area_are_suppressed_without_a_warning():
    assert len(suppressed(found(), 0.5, 10)) == 0
    assert len(suppressed(found((5, 5, 5, 5, 0.5, 1), (5, 5, 5, 5, 0.4, 1)), 0.5, 10)) == 2


def test_every_class_of_coco_belongs_to_one_group():
    assert len(COCO) == len(set(COCO)) == 80
    assert set(GROUP_OF) == set(COCO) and set(GROUP_OF.values()) == set(GROUPS)
    assert GROUP_OF["knife"] == "carried" and GROUP_OF["fork"] == "household" and COCO[79] == "toothbrush"
