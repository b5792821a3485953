"""Face restoration: found, aligned, restored by a generative network, and pasted back. For showing only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Enhancer, Model, ModelUse, Pixels
from playe_assets.core.errors import GovernanceError
from playe_assets.core.params import bounds, card, one_of
from playe_assets.core.values import AiClass, StreamFacts
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


@dataclass
class _Tally:
    found: int = 0
    restored: int = 0
    too_small: int = 0
    too_large: int = 0
    too_turned: int = 0
    change: float = 0.0
    samples: float = 0.0


class FaceRestoration(Enhancer):
    """Five points, a similarity to the FFHQ template, the network at 512 px, its change added under a soft mask.

    The network sees RGB in -1..1 and gives the same. Grey pictures stay grey: the change is averaged over the
    channels. Nothing outside the mask changes, and what the network leaves alone keeps its exact samples.
    """

    name = "face_restoration"
    version = "1"
    ai_class = AiClass.GENERATIVE
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

    def frame(self, pixels: Pixels) -> Pixels:
        """The picture with its faces restored; same shape and dtype."""
        out = pixels.copy(order="C")
        covered = np.zeros(pixels.shape[:2], np.uint8)
        for face in self._faces(pixels):
            self._restore(face, pixels, out, covered)
        self._covered = covered[:, :, None]
        return out

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
        params, tally = self.params, self._tally
        picture, scale = shrunk(pixels, params.max_side_px)
        kept = []
        for seen in find(self.models[params.detector], picture, self._limits):
            tally.found += 1
            face = _in_frame(seen, scale)
            short, long = sorted((face.width, face.height))
            if short < params.min_face_px:
                tally.too_small += 1
            elif long > params.max_face_px:
                tally.too_large += 1
            elif misfit(similarity(face.landmarks, FFHQ), face.landmarks, FFHQ) > params.max_misfit_px:
                tally.too_turned += 1
            else:
                kept.append(face)
        return kept

    def _restore(self, face: Face, pixels: Pixels, out: Pixels, covered: Any) -> None:
        params, tally = self.params, self._tally
        matrix = similarity(face.landmarks, FFHQ)
        crop = aligned(pixels, matrix, FFHQ_SIDE, params.antialias)
        change = self._restored(crop) - crop
        if self._mask is None:
            self._mask = soft_mask(FFHQ_SIDE, params.mask, params.margin_px, params.feather_px)
        before = int(np.count_nonzero(covered))
        share = np.float32(pasted_share(params))
        tally.change += paste(out, covered, change * share, self._mask, matrix, params.antialias)
        tally.samples += (int(np.count_nonzero(covered)) - before) * pixels.shape[2]
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


def _in_frame(face: Face, scale: float) -> Face:
    points = tuple((x / scale, y / scale) for x, y in face.landmarks)
    return Face(face.x / scale, face.y / scale, face.width / scale, face.height / scale, face.score, points)
