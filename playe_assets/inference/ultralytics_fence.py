"""The only door to the package ultralytics (AGPL-3.0, extra `yolo`): quiet, offline, and without side effects.

Left alone, its import resolves host names, sends usage events, may install packages, writes settings into the
user's home, sets OMP_NUM_THREADS=1 and switches OpenCV's threads off for the whole process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import MissingResourceError
from playe_assets.inference.architectures.contract import load_strictly, not_of
from playe_assets.inference.cards import ModelCard
from playe_assets.inference.contract import RuntimeFacts
from playe_assets.inference.runtimes.hardware import processor
from playe_assets.inference.torchvision_shim import allow_torchvision

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor, nn

_OFF = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_VERBOSE": "0", "ULTRALYTICS_SAFE_LOAD": "1",
        "WANDB_MODE": "disabled"}  # fmt: skip
_SIZES = {(16, 256): "n", (32, 512): "s", (48, 576): "m", (64, 512): "l", (80, 640): "x"}
"""Channels of the first and the deepest layer to the letter of YOLOv8."""
_PRINTING = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")
_lock = threading.RLock()
_kept: list[Any] = []


def load() -> Any:
    """The package, imported behind the fence once per process.

    Its settings go to a scratch folder that is deleted at exit, `sync` is off, and the environment, the number
    of threads of torch and OpenCV, the working folder and torch's printing are as they were.

    Raises:
        MissingResourceError: the extra `yolo` is not installed, or somebody imported the package before.
    """
    with _lock:
        if _kept:
            return _kept[0]
        if "ultralytics" in sys.modules:
            raise MissingResourceError("objects.imported_before")
        try:
            folder = _settings_folder()
            with fenced(YOLO_CONFIG_DIR=folder, MPLCONFIGDIR=folder):
                allow_torchvision()
                import ultralytics
                from ultralytics.utils import SETTINGS, callbacks  # noqa: F401 - the import is what must be fenced

                SETTINGS.update(_quiet(SETTINGS))
                # Its predictor, imported now: what it does on import happens behind the fence too.
                from ultralytics.models.yolo.detect import DetectionPredictor  # noqa: F401
                from ultralytics.nn.tasks import DetectionModel, PoseModel  # noqa: F401
                from ultralytics.utils.events import events

                events.enabled = False
        except ImportError as error:
            raise MissingResourceError("objects.extra_yolo", problem=str(error)) from error
        _kept.append(ultralytics)
        return ultralytics


def detection_model(state: dict[str, Tensor], card: ModelCard) -> nn.Module:
    """YOLOv8 of the size that the tensors have, in evaluation mode: NCHW RGB 0..1 to (n, 4 + classes, anchors).

    Only its output differs from ultralytics' module: boxes as centre and size in px and scores, nothing else;
    a pose model adds x, y and visibility of each point.

    Raises:
        MissingResourceError: the extra is absent.
        GovernanceError: the tensors are not of that architecture.
    """
    model = _network(state, card)
    head: Any = model.model[-1]
    # `export` leaves the training outputs away; `dynamic` makes anchors from the shape that is really there.
    head.export, head.dynamic, head.format = True, True, "onnx"
    return model


class Predictor:
    """ultralytics' own way from a picture to boxes: its letterbox, its network in torch, its suppression."""

    def __init__(
        self,
        state: dict[str, Tensor],
        card: ModelCard,
        *,
        side: int,
        least: float,
        iou: float,
        most: int,
        classes: tuple[int, ...],
    ) -> None:
        """`least`: score; `most`: findings a picture; `classes`: those that are looked for.

        Runs on the CPU in float32, in a square of `side` px, whatever ultralytics' own settings say.
        """
        load()
        from ultralytics.models.yolo.detect import DetectionPredictor

        given = {"imgsz": side, "conf": least, "iou": iou, "max_det": most, "classes": list(classes), "rect": False,
                 "device": "cpu", "verbose": False, "save": False, "mode": "predict", "task": "detect",
                 "agnostic_nms": False, "augment": False, "batch": 1, "exist_ok": True,
                 "project": _settings_folder()}  # fmt: skip
        network = _network(state, card)
        with _lock, fenced():
            self._predictor = DetectionPredictor(overrides=given)
            self._predictor.setup_model(network, verbose=False)

    def facts(self) -> RuntimeFacts:
        """What its boxes come from, for the record."""
        import torch

        version = str(load().__version__)
        return RuntimeFacts("torch", str(torch.__version__), "cpu", ("cpu",), processor(), None, None,
                            torch.get_num_threads(), "fp32", True, {"through": f"ultralytics {version}"})  # fmt: skip

    def boxes(self, bgr: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(n, 6) rows x1, y1, x2, y2 in px of the picture (h, w, 3), score, class; by descending score."""
        with _lock, fenced():
            (result,) = self._predictor(source=bgr)
            found: npt.NDArray[np.float32] = result.boxes.data.cpu().numpy()
        return found


def _network(state: dict[str, Tensor], card: ModelCard) -> Any:
    """ultralytics' module with its own table of YOLOv8, of the size and classes that the tensors have."""
    load()
    from ultralytics.nn.tasks import DetectionModel, PoseModel
    from ultralytics.utils import ROOT, YAML

    try:
        classes = int(state["model.22.cv3.0.2.weight"].shape[0])
        wide, deepest = (
            int(state["model.0.conv.weight"].shape[0]),
            int(state["model.9.cv2.conv.weight"].shape[0]),
        )
    except (KeyError, IndexError) as error:
        raise not_of(card, f"the tensor {error} is absent") from error
    size = _SIZES.get((wide, deepest))
    if size is None:
        raise not_of(card, f"no YOLOv8 is {wide} and {deepest} channels wide")
    points = state.get("model.22.cv4.0.2.weight")
    kind = "yolov8.yaml" if points is None else "yolov8-pose.yaml"
    with _lock, fenced():
        table = {**YAML.load(ROOT / "cfg" / "models" / "v8" / kind), "scale": size, "nc": classes}
        if points is None:
            model = DetectionModel(table, ch=3, verbose=False)
        else:
            model = PoseModel({**table, "kpt_shape": [int(points.shape[0]) // 3, 3]}, ch=3, verbose=False)
        return load_strictly(model, state, card)


def _quiet(settings: Any) -> dict[str, Any]:
    """Every switch of its settings off: `sync` and the loggers of other firms."""
    return {key: False for key, value in settings.items() if value is True}


def _settings_folder() -> str:
    """A folder of this process for the package's settings and fonts, deleted at exit."""
    folder = tempfile.mkdtemp(prefix="playe-yolo-settings-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def fenced(**environment: str) -> Iterator[None]:
    """Everything of the package off inside; afterwards the process's own state is as it was before."""
    import cv2
    import numpy as np
    import torch
    from PIL import Image

    before, threads, cv_threads = dict(os.environ), torch.get_num_threads(), cv2.getNumThreads()
    # Its Image.open would try to install a decoder for whatever Pillow does not know.
    patched: list[tuple[Any, str, Any]] = [(torch, "save", torch.save), (Image, "open", Image.open)]
    patched += [(cv2, name, getattr(cv2, name, None)) for name in ("imread", "imwrite", "imshow")]
    printing, filters = np.get_printoptions(), warnings.filters[:]
    shown = torch._tensor_str.PRINT_OPTS
    torch_printing = {key: getattr(shown, key) for key in _PRINTING}
    benchmark, grad = torch.backends.cudnn.benchmark, torch.is_grad_enabled()
    os.environ.update(_OFF, **environment)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv_threads)
        for owner, name, function in patched:
            if function is not None:
                setattr(owner, name, function)
        np.set_printoptions(**printing)
        warnings.filters[:] = filters  # type: ignore[index]  # a list, whatever the stub says
        torch.set_printoptions(**torch_printing)
        torch.backends.cudnn.benchmark = benchmark
        torch.set_grad_enabled(grad)
