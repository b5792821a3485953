"""Lets `import torchvision` work beside a torch that its compiled part was not built for.

The registry's torchvision wheel is built against the CUDA torch. Beside a CPU-only torch its `_C.so` does not
load, and the import then dies with "operator torchvision::nms does not exist", because two operators are given
shape functions without being defined. Defining those two, `nms` with a real CPU kernel, is enough.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_lock = threading.Lock()
_kept: list[Any] = []
"""The library object: its definitions are withdrawn when it is collected."""


def allow_torchvision() -> bool:
    """Make `import torchvision` safe; call it before. Returns whether the stand-in was needed.

    Where torchvision's own compiled operators load, nothing is defined or patched. Otherwise only `nms` works;
    every other compiled operator (roi_align, deform_conv2d, ...) raises as an unknown operator.

    Raises:
        ImportError: torchvision or torch is not installed.
    """
    with _lock:
        if _kept:
            return True
        if "torchvision" in sys.modules or _native():
            return False
        import torch

        library = torch.library.Library("torchvision", "DEF")
        # Both signatures are torchvision's own (torchvision/csrc/ops/nms.cpp, quantized/cpu/qnms_kernel.cpp).
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl("nms", nms, "CPU")
        _kept.append(library)

        from torchvision import extension

        # torchvision.ops.nms asks this before it calls the operator that now exists.
        extension._has_ops = lambda: True
        return True


def _native() -> bool:
    """Whether torchvision's compiled operators load beside this torch; loading them twice is harmless."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ImportError("torchvision is not installed", name="torchvision")
    import torch

    for path in sorted(Path(spec.origin).parent.glob("_C*.so")) + sorted(
        Path(spec.origin).parent.glob("_C*.pyd")
    ):
        try:
            torch.ops.load_library(str(path))
        except (OSError, ImportError):
            return False
        return hasattr(torch.ops.torchvision, "nms")
    return False


def nms(dets: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Greedy non-maximum suppression: the indices kept, best score first (equal scores in the order given).

    Args:
        dets: (n, 4) boxes x1, y1, x2, y2.
        scores: (n,).
        iou_threshold: a box that overlaps a better one by more than this is dropped.
    """
    import torch

    x1, y1, x2, y2 = dets.unbind(1)
    areas = (x2 - x1) * (y2 - y1)
    order = scores.argsort(stable=True, descending=True)
    kept: list[int] = []
    while order.numel():
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        width = (torch.minimum(x2[best], x2[rest]) - torch.maximum(x1[best], x1[rest])).clamp(min=0)
        height = (torch.minimum(y2[best], y2[rest]) - torch.maximum(y1[best], y1[rest])).clamp(min=0)
        shared = width * height
        # 0 / 0 of two empty boxes is nan, which compares false: both are kept, as torchvision's kernel does.
        order = rest[~(shared / (areas[best] + areas[rest] - shared) > iou_threshold)]
    return torch.tensor(kept, dtype=torch.int64, device=dets.device)
