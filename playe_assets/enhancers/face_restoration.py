"""Face restoration: found, aligned, restored by a generative network, and pasted back. For showing only.

In photographs faces are found here; on clips they are those of the tracks, on one path of alignment each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Enhancer, Frame, Model, ModelUse, Pixels
from playe_assets.core.errors import GovernanceError
from playe_assets.core.params import bounds, card, one_of
from playe_assets.core.tracks import Seen
from playe_assets.core.values import AiClass, StreamFacts
from playe_assets.enhancers.face_tracks import Part, averaged, faded, limited, on_frame, upright_size
from playe_assets.enhancers.window import windows
from playe_assets.inference.faces.align import FFHQ, FFHQ_SIDE, aligned, misfit, similarity
from playe_assets.inference.faces.finders import find
from playe_assets.inference.faces.found import Face, Floats, Limits
from playe_assets.inference.faces.paste import SHAPES, paste, soft_mask
from playe_assets.inference.faces.picture import shrunk

_TAKES_W = "codeformer"


@dataclass(frozen=True)
class FaceRestorationParams:
    """Lengths of faces are px of the frame as it reaches this step, those of the mask px of the aligned 512."""

    model: str = card("face restoration")
    mode: str = one_of("quality", "identity")
    """Which half of the scale between a clean face and the likeness of the input `w` runs over."""
    w: float = bounds(0.0, 1.0, "share")
    """Nearness to the input: v = w / 2 in `quality`, (1 + w) / 2 in `identity`. CodeFormer is given v as its
    own w; of networks without such an input only the share 1 - v of their change is taken."""
    blend: float = bounds(0.0, 1.0, "share")
    """Share of the change that is pasted, on top of `w`; 0 changes nothing."""
    detector: str = card("face detection (5 landmarks)")
    min_score: float = bounds(0.05, 0.999, "score")
    nms_iou: float = bounds(0.05, 0.95, "intersection over union")
    top_k: int = bounds(1, 10000, "raw findings")
    max_side_px: int = bounds(160, 8192, "px")
    """The frame is shrunk to this longer side for finding only."""
    min_face_px: int = bounds(8, 512, "px")
    """A face whose box is smaller on its shorter side is left as it is: a network would invent all of it."""
    max_face_px: int = bounds(64, 8192, "px")
    """A face whose box is larger on its longer side is left as it is: it holds more than 512 px can."""
    max_misfit_px: float = bounds(1.0, 200.0, "px of 512")
    """A face whose five points lie further from the template (root mean square) is turned away and is left as it
    is: frontal faces measured 2 to 10, one in half profile 29."""
    mask: str = one_of(*SHAPES)
    margin_px: int = bounds(0, 96, "px of 512")
    feather_px: float = bounds(0.0, 48.0, "px of 512, sigma")
    antialias: float = bounds(0.0, 1.0, "sigma per px")
    """Smoothing before a picture is sampled more coarsely; 0.5 keeps what the coarser grid can carry."""
    fade_frames: int = bounds(0, 25, "frames")
    """Of clips: over so many frames a track's faces come in and go out, so that none leaps into view; not at cuts
    and not at the clip's ends."""
    fade_share: float = bounds(0.0, 1.0, "share")
    """Of clips: inside of the limits of size and turn the change grows from 0 to the whole over this share of the
    limit, so that a face that wavers around a limit does not blink; 0 makes the limits hard."""
    smooth_radius: int = bounds(0, 4, "frames")
    """Of clips: a track's change is averaged over so many of its frames to each side, on the template."""
    smooth_agreement: float = bounds(0.5, 64.0, "8-bit units")
    """Up to this mean difference (on the template) another frame of the track counts in full, from twice as much
    not at all."""


@dataclass
class _Tally:
    found: int = 0
    restored: int = 0
    too_small: int = 0
    too_large: int = 0
    too_turned: int = 0
    without_points: int = 0
    change: float = 0.0
    samples: float = 0.0

    def plus(self, other: _Tally) -> _Tally:
        return _Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass
class _Held:
    """A frame of a clip with its faces, by track."""

    frame: Frame
    parts: Mapping[int, Part]
    tally: _Tally


class FaceRestoration(Enhancer):
    """Five points, a similarity to the FFHQ template, the network at 512 px, its change added under a soft mask.

    The network sees RGB in -1..1 and gives the same. Grey pictures stay grey: the change is averaged over the
    channels. Nothing outside the mask changes, and what the network leaves alone keeps its exact samples.

    On clips nothing is searched for: the faces are the tracks' (`Frame.seen`), whose points lie on one smoothed path.
    A track that has no points stays as it is and is counted. What the network drew for one track is averaged over
    that track's frames only.
    """

    name = "face_restoration"
    version = "2"
    ai_class = AiClass.GENERATIVE
    summaries: ClassVar[Mapping[str, str]] = {
        "applied": "mean",
        "faces_found": "sum",
        "faces_restored": "sum",
        "faces_too_small": "sum",
        "faces_too_large": "sum",
        "faces_too_turned": "sum",
        "faces_without_points": "sum",
        "mean_change_8bit": "mean",
        "nearness": "max",
        "pasted_share": "max",
    }
    reference = (
        "X. Wang et al.: GFP-GAN, CVPR 2021 (chain and template); S. Zhou et al.: CodeFormer, NeurIPS 2022 (w); "
        "S. Umeyama, PAMI 13 (1991), 376-380 (alignment)"
    )
    Params: ClassVar[type] = FaceRestorationParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, facts, models)
        self._limits = Limits(params.min_score, params.nms_iou, params.top_k)
        self._mask: Floats | None = None
        self._covered: Pixels | None = None
        self._tally = _Tally()

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The finder and the restorer, CodeFormer with its w."""
        variant = {"w": nearness(params)} if takes_w(params) else {}
        return (ModelUse(params.detector), ModelUse(params.model, variant))

    @classmethod
    def reach(cls, params: Any) -> int:
        """Frames in which a track comes and goes, and over which its change is averaged."""
        return max(int(params.fade_frames), int(params.smooth_radius))

    def frame(self, pixels: Pixels) -> Pixels:
        """The picture with its faces restored; same shape and dtype."""
        out = pixels.copy(order="C")
        covered = np.zeros(pixels.shape[:2], np.uint8)
        for face in self._faces(pixels):
            matrix = similarity(face.landmarks, FFHQ)
            crop = aligned(pixels, matrix, FFHQ_SIDE, self.params.antialias)
            self._paste(self._restored(crop) - crop, matrix, 1.0, out, covered)
        self._covered = covered[:, :, None]
        return out

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Every face track restored along its own path; a window of frames is held for fading and averaging."""
        held = (self._held(item) for item in frames)
        for window, centre in windows(held, self.reach(self.params)):
            yield self._along(window, centre)

    def measured(self) -> dict[str, float]:
        """Faces over all frames, and the mean change of a sample under the mask in 8-bit units."""
        tally = self._tally
        mean = 255.0 * tally.change / tally.samples if tally.samples else 0.0
        return {
            "faces_found": float(tally.found),
            "faces_restored": float(tally.restored),
            "faces_too_small": float(tally.too_small),
            "faces_too_large": float(tally.too_large),
            "faces_too_turned": float(tally.too_turned),
            "faces_without_points": float(tally.without_points),
            "mean_change_8bit": mean,
            "nearness": nearness(self.params),
            "pasted_share": pasted_share(self.params),
        }

    def touched(self) -> bool:
        """Whether any face was restored."""
        return self.measured().get("faces_restored", 0.0) > 0

    def maps(self) -> dict[str, Pixels]:
        """`faces`: where and how much of each pixel restored faces are, 0..255."""
        return {} if self._covered is None else {"faces": self._covered}

    def _faces(self, pixels: Pixels) -> list[Face]:
        params = self.params
        picture, scale = shrunk(pixels, params.max_side_px)
        faces = [_in_frame(seen, scale) for seen in find(self.models[params.detector], picture, self._limits)]
        self._tally.found += len(faces)
        return [face for face in faces if self._within(face) > 0.0]

    def _within(self, face: Face, soft: float = 0.0) -> float:
        """Share, 0..1, by the limits of size and turn; a face beyond one of them is counted."""
        params, tally = self.params, self._tally
        short, long = sorted((face.width, face.height))
        turned = 0.0
        if short < params.min_face_px:
            tally.too_small += 1
        elif long > params.max_face_px:
            tally.too_large += 1
        elif (
            turned := misfit(similarity(face.landmarks, FFHQ), face.landmarks, FFHQ)
        ) > params.max_misfit_px:
            tally.too_turned += 1
        else:
            above = limited(short, params.min_face_px, soft)
            below = (limited(-long, -params.max_face_px, soft), limited(-turned, -params.max_misfit_px, soft))
            return min(above, *below)
        return 0.0

    def _held(self, item: Frame) -> _Held:
        """The frame with what the network draws for each of its tracks."""
        self._tally, before = _Tally(), self._tally
        height, width = item.pixels.shape[:2]
        found: dict[int, Part] = {}
        for seen in sorted((s for s in item.seen if s.label == "face"), key=_by_track):
            self._tally.found += 1
            if len(seen.landmarks) != len(FFHQ):
                self._tally.without_points += 1
                continue
            face = on_frame(seen, upright_size(self.facts), (width, height))
            share = self._within(face, self.params.fade_share)
            if share > 0.0:
                matrix = similarity(face.landmarks, FFHQ)
                crop = aligned(item.pixels, matrix, FFHQ_SIDE, self.params.antialias)
                found[seen.track] = Part(matrix, crop, self._restored(crop) - crop, share)
        here, self._tally = self._tally, before
        return _Held(item, found, here)

    def _along(self, window: Sequence[_Held], centre: int) -> Frame:
        params, held = self.params, window[centre]
        out = held.frame.pixels.copy(order="C")
        covered = np.zeros(out.shape[:2], np.uint8)
        before, self._tally = self._tally, held.tally
        used = 1
        for track, part in held.parts.items():
            places = [each.parts.get(track) for each in window]
            near = [
                other
                for place, other in enumerate(places)
                if other is not None and place != centre and abs(place - centre) <= params.smooth_radius
            ]
            change, count = averaged(part, near, params.smooth_agreement)
            used = max(used, count)
            share = part.share * faded([p is not None for p in places], centre, params.fade_frames)
            self._paste(change, part.matrix, share, out, covered)
        self._covered = covered[:, :, None]
        here = self.measured()
        numbers = {**here, "applied": float(here["faces_restored"] > 0)}
        self._tally = before.plus(held.tally)
        frame = held.frame
        kind = "fused" if used > 1 else frame.kind
        return replace(frame, pixels=out, numbers=numbers, kind=kind, fused_from=frame.fused_from + used - 1)

    def _paste(self, change: Floats, matrix: Any, weight: float, out: Pixels, covered: Any) -> None:
        params, tally = self.params, self._tally
        if self._mask is None:
            self._mask = soft_mask(FFHQ_SIDE, params.mask, params.margin_px, params.feather_px)
        before = int(np.count_nonzero(covered))
        share = np.float32(pasted_share(params) * weight)
        tally.change += paste(out, covered, change * share, self._mask, matrix, params.antialias)
        tally.samples += (int(np.count_nonzero(covered)) - before) * out.shape[2]
        tally.restored += 1

    def _restored(self, crop: Floats) -> Floats:
        """The network's answer to a crop (512, 512, c), 0..1, without colour where the crop has none."""
        name, channels = self.params.model, crop.shape[2]
        colour = np.repeat(crop, 3, axis=2) if channels == 1 else crop
        given = np.ascontiguousarray((colour * 2.0 - 1.0).transpose(2, 0, 1)[None], dtype=np.float32)
        answer = self.models[name].batch(given)[0]
        if answer.shape != given.shape or not np.isfinite(answer).all():
            raise GovernanceError("faces.no_picture", name=name, found=str(answer.shape))
        found = np.clip((answer[0].transpose(1, 2, 0) + 1.0) / 2.0, 0.0, 1.0)
        if float(np.ptp(crop, axis=2).max()) == 0.0:
            found = np.repeat(found.mean(axis=2, keepdims=True), channels, axis=2)
        return np.asarray(found, dtype=np.float32)


def nearness(params: FaceRestorationParams) -> float:
    """v, 0..1: how near the restored face stays to the input; half of the scale for each mode."""
    return params.w / 2 if params.mode == "quality" else (1.0 + params.w) / 2


def takes_w(params: FaceRestorationParams) -> bool:
    """Whether the network itself is told v; otherwise v lessens the share of its change that is pasted."""
    return params.model.startswith(_TAKES_W)


def pasted_share(params: FaceRestorationParams) -> float:
    """Share of the network's change that is pasted."""
    return params.blend if takes_w(params) else params.blend * (1.0 - nearness(params))


def _by_track(seen: Seen) -> int:
    return seen.track


def _in_frame(face: Face, scale: float) -> Face:
    points = tuple((x / scale, y / scale) for x, y in face.landmarks)
    return Face(face.x / scale, face.y / scale, face.width / scale, face.height / scale, face.score, points)
