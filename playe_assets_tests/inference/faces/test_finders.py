"""Every card of a face detector with five landmarks has a decoder."""

from __future__ import annotations

from playe_assets.inference.faces.finders import FAMILIES
from playe_assets.inference.faces.retinaface import priors
from playe_assets_tests.stand_ins import cards


def test_every_card_of_the_task_belongs_to_one_family():
    names = [c.name for c in cards().values() if c.task == "face detection (5 landmarks)"]
    assert len(names) >= 5
    for name in names:
        assert [f for f in FAMILIES if name.startswith(f)] != []


def test_the_priors_of_retinaface_are_those_of_its_cards():
    from playe_assets.inference.faces import retinaface

    for card in cards().values():
        if card.architecture == "RetinaFace":
            own = retinaface._OTHER_PRIOR_SIDES.get(card.name, retinaface._PRIOR_SIDES)
            assert [list(map(float, pair)) for pair in card.hyper["min_sizes"]] == [
                list(pair) for pair in own
            ]
            assert list(retinaface._STRIDES) == card.hyper["steps"]
            assert list(retinaface._MEAN_BGR) == card.hyper["mean"]
            assert card.hyper["variance"] == [retinaface._CENTRE_VARIANCE, retinaface._SIZE_VARIANCE]


def test_priors_of_a_frame_that_no_stride_divides_cover_its_border():
    found = priors(33, 65)
    assert len(found) == 2 * (5 * 9 + 3 * 5 + 2 * 3)
    assert found[:, :2].max() >= 64
