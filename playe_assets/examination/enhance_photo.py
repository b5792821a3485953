"""The preset's photo steps over one photograph: PNG with the ICC profile, the method in its metadata."""

from __future__ import annotations

import numpy as np

from playe_assets.core.canonical import canonical_json
from playe_assets.core.contracts import Pixels
from playe_assets.core.values import Derivative, Exhibit, MediaKind, StreamFacts
from playe_assets.enhancers import ENHANCERS
from playe_assets.examination.detect import facts_of
from playe_assets.examination.enhance import (
    Made,
    highest,
    record_models,
    recorded_step,
    step_of,
    worker_of,
)
from playe_assets.examination.plan import Plan
from playe_assets.examination.stage import Stage
from playe_assets.exporters.pictures import make_pictures
from playe_assets.media.photo import read_photo
from playe_assets.media.pixel_digest import pixel_sha256
from playe_assets.media.png import write_png


def enhance_photo(stage: Stage, made: Plan, exhibit: Exhibit) -> Made:
    """Decode, apply each step in order, write the PNG; alpha follows the steps that move pixels."""
    facts = facts_of(exhibit)
    photo = read_photo(stage.store.path(exhibit.sha256), facts)
    pixels, alpha = photo.pixels, photo.alpha
    steps = []
    maps: dict[str, Pixels] = {}
    taken = exhibit.sha256
    for number, planned in enumerate(made.steps[MediaKind.PHOTO], start=1):
        with recorded_step(stage, made, exhibit, number, planned, [taken]) as op:
            worker = worker_of(stage, made, planned, facts)
            pixels = worker.frame(pixels)
            if alpha is not None and worker.geometry:
                alpha = worker.plane(alpha)
            steps.append(step_of(number, made, planned, worker))
            maps = _over(maps, worker.maps())
            record_models(op, worker, steps[-1])
            taken = pixel_sha256(pixels)  # the chain of digests runs over samples, between files
            op.outputs.append(taken)
            op.metrics.update(steps[-1].measured)
    done = tuple(steps)
    method = {
        "exhibit": exhibit.number,
        "exhibit_sha256": exhibit.sha256,
        "preset": made.preset.name,
        "preset_sha256": made.preset.sha256,
        "steps": done,
        "ai_class": highest(done),
    }
    compression = made.preset.output.png_compression
    with stage.store.scratch() as scratch:
        path = scratch / "derivative.png"
        write_png(path, pixels, alpha, photo.icc, {"PLAYE": canonical_json(method).decode()}, compression)
        sha256, size = stage.store.adopt(path)
    derivative = Derivative(
        number="",
        exhibit=exhibit.number,
        kind="photo",
        sha256=sha256,
        size=size,
        media_type="image/png",
        was_derived_from=(exhibit.sha256,),
        ai_class=highest(done),
        pixel_sha256=taken if steps else pixel_sha256(pixels),
        width=pixels.shape[1],
        height=pixels.shape[0],
        frame_count=1,
        suffix=".png",
        encoder={"name": "png", "compression": compression},
    )
    return Made(
        steps=done,
        derivatives=[derivative],
        pictures=make_pictures(upright(photo.pixels, facts), pixels, maps=maps),
        frames_in=1,
        frames_decoded=1,
        frames_out=1,
        missing=exhibit.missing,
        deviations=photo.notes,
    )


def _over(held: dict[str, Pixels], new: dict[str, Pixels]) -> dict[str, Pixels]:
    """The maps of all steps so far, the worse value at each place, at the size of the newest."""
    import cv2

    found = dict(held)
    for role, plane in new.items():
        before = held.get(role)
        if before is None:
            found[role] = plane
            continue
        size = (plane.shape[1], plane.shape[0])
        moved = cv2.resize(before, size, interpolation=cv2.INTER_LINEAR).reshape(plane.shape)
        found[role] = np.maximum(plane, moved)
    return found


def upright(pixels: Pixels, facts: StreamFacts) -> Pixels:
    """The exhibit's frame as it is to be looked at: oriented, else untouched."""
    return ENHANCERS.get("orient")(None, facts).frame(pixels)
