"""One metric of the package pyiqa (PolyForm Noncommercial, extra `iqa`), of those that need no weights."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Column, Metric, Model, Pair, Pixels
from playe_assets.core.errors import MissingResourceError
from playe_assets.core.params import one_of
from playe_assets.metrics.scale import eight_bit, resized

WITH_REFERENCE = (
    "psnr",
    "psnry",
    "ssim",
    "ssimc",
    "ms_ssim",
    "fsim",
    "vif",
    "vsi",
    "gmsd",
    "nlpd",
    "cw_ssim",
)
WITHOUT_REFERENCE = ("piqe",)
"""Formulas only. The learned ones fetch pickles from the network when they are made, past the loading door, so
their names are refused."""
_LEAST_PX = {"ms_ssim": 176}
"""Shorter side below which the metric has no value; MS-SSIM halves four times and then needs its 11 px window."""
_LEAST_PX_ELSE = 64
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
_lock = threading.Lock()


@dataclass(frozen=True)
class PyiqaParams:
    """Names are pyiqa's own."""

    metric: str = one_of(*WITH_REFERENCE, *WITHOUT_REFERENCE)


class Pyiqa(Metric):
    """A second opinion, computed by other people's code: it shows and does not judge.

    With a reference: exhibit and derivative, each brought to the reference's size, against it; null without one.
    Without: each picture by itself. Whether higher is better follows from the metric.
    """

    name = "pyiqa"
    version = "1"
    reference = "C. Chen, J. Mo: IQA-PyTorch, PyTorch Toolbox for Image Quality Assessment (2022)"
    columns = (
        Column("pyiqa_before", "1", None, None, "none"),
        Column("pyiqa_after", "1", None, None, "none"),
    )
    Params: ClassVar[type] = PyiqaParams

    def __init__(self, params: Any, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, models)
        self._least = _LEAST_PX.get(params.metric, _LEAST_PX_ELSE)
        self._run = _made(params.metric)

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """Before and after."""
        if self.params.metric in WITHOUT_REFERENCE:
            return {"pyiqa_before": self._of(pair.exhibit), "pyiqa_after": self._of(pair.derivative)}
        truth = pair.reference
        if truth is None:
            return {"pyiqa_before": None, "pyiqa_after": None}
        return {
            "pyiqa_before": self._of(resized(pair.exhibit, truth), truth),
            "pyiqa_after": self._of(resized(pair.derivative, truth), truth),
        }

    def _of(self, *pictures: Pixels) -> float | None:
        import torch

        if min(pictures[0].shape[:2]) < self._least:
            return None
        with torch.inference_mode():
            found = float(self._run(*(_tensor(pixels) for pixels in pictures)))
        return found if math.isfinite(found) else None


def _tensor(pixels: Pixels) -> Any:
    """(1, 3, h, w) float32, 0..1; grey is repeated."""
    import torch

    planes = (eight_bit(pixels) / np.float32(255)).transpose(2, 0, 1)
    three = np.repeat(planes, 3, axis=0) if len(planes) == 1 else planes
    return torch.from_numpy(np.ascontiguousarray(three[np.newaxis], np.float32))


def _made(name: str) -> Any:
    """pyiqa's metric on the CPU; whatever would be downloaded for it is refused.

    Raises:
        MissingResourceError: the extra is absent, or the metric asks for weights after all.
    """

    def refused(*_: Any, **__: Any) -> NoReturn:
        raise MissingResourceError("metrics.pyiqa_weights", metric=name)

    with _lock:
        before = dict(os.environ)
        os.environ.update(_OFFLINE)
        try:
            from playe_assets.inference.torchvision_shim import allow_torchvision

            allow_torchvision()
            import pyiqa
            from pyiqa.utils import download_util
        except ImportError as error:
            raise MissingResourceError("metrics.extra_iqa", problem=str(error)) from error
        finally:
            for key in os.environ.keys() - before.keys():
                del os.environ[key]
            os.environ.update(before)
        kept = download_util.download_url_to_file
        download_util.download_url_to_file = refused
        try:
            return pyiqa.create_metric(name, device="cpu")
        finally:
            download_util.download_url_to_file = kept
