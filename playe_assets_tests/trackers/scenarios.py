"""Looks made of things with known paths: the truth that trackers are held against."""

from __future__ import annotations

from functools import cache

import numpy as np
import yaml

from playe_assets.core.contracts_tracks import Look
from playe_assets.core.presets import FOLDER
from playe_assets.core.values import Detection
from playe_assets.trackers.kalman_iou import KalmanIouParams


@cache
def _written():
    return yaml.safe_load((FOLDER / "balanced.yaml").read_text())["video"]["tracker"]["with"]


def preset_params(**other):
    """The tracker's parameters of the shipped presets, with `other` in their place."""
    return KalmanIouParams(**{**_written(), **other})


def box(x, y=100.0, width=40.0, height=80.0, score=0.9):
    """A finding by its centre."""
    return Detection("person", x - width / 2, y - height / 2, width, height, score)


@cache
def shown(seed):
    """An appearance: things of different seeds are less alike than 0.5."""
    vector = np.random.default_rng(seed).random(64) ** 6
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def look(position, time, found=(), shot=0, seeds=None):
    """One look; `seeds` of the findings' appearances, None for a detector without any."""
    seen = () if seeds is None else tuple(shown(s) for s in seeds)
    return Look(position, time, shot, tuple(found), seen)


def centres(looks, trail):
    """Where a trail's members are, rounded, so that trails can be compared whatever their indices."""
    found = [looks[p].found[i] for p, i in trail.members]
    return [(round(d.x + d.width / 2, 3), round(d.y + d.height / 2, 3)) for d in found]
