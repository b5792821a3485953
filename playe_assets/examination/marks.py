"""`marks` of `case.yaml`: regions of clips that the operator wants followed and fused. The form, by line."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from playe_assets.core.errors import CaseFileError
from playe_assets.core.tracks import Mark
from playe_assets.core.yamlfile import Block
from playe_assets.examination.names import shown

_KEYS = ("file", "frame", "time_s", "box", "label")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_MOST = 50
_FARTHEST_PX = 1 << 16
_SMALLEST_PX = 4.0
_LONGEST_S = 10_000_000
_ALLOWED = {
    "file": "the clip's path below the folder",
    "frame": "a whole number from 0 upward",
    "time_s": "seconds after the clip's first frame",
    "box": f"[x, y, width, height] in px of the upright frame, width and height at least {_SMALLEST_PX:g}",
    "label": "1 to 32 letters, digits, '_' or '-', such as plate",
}


_NONE = {"file": "case.mark_no_file", "box": "case.mark_no_box", "label": "case.mark_no_label"}


@dataclass(frozen=True)
class Marked:
    """A mark as it was written: the clip's path below the folder, and the line."""

    file: str
    mark: Mark
    line: int

    def absent(self, file: str) -> CaseFileError:
        """What is said where the case file `file` marks a clip that is not there."""
        name = shown(os.fsencode(self.file))
        return CaseFileError("intake.mark_absent", file=file, line=self.line, name=name)


def read_marks(block: Block, file: str) -> tuple[Marked, ...]:
    """The marks of a case file, `{file, frame | time_s, box, label}` each.

    Raises:
        CaseFileError: file, line, key, value and what is allowed.
    """
    given = block["marks"]
    if not isinstance(given, list) or len(given) > _MOST or not all(isinstance(m, Block) for m in given):
        raise CaseFileError("case.value", file=file, line=block.lines["marks"], key="marks",
                            value=type(given).__name__, allowed=f"a list of at most {_MOST} mappings")  # fmt: skip
    return tuple(_mark(item, file) for item in given)


def _mark(item: Block, file: str) -> Marked:
    for key in item.values:
        if key not in _KEYS:
            raise CaseFileError("case.unknown_key", file=file, line=item.lines[key], key=key,
                                allowed=", ".join(_KEYS))  # fmt: skip
    for key, code in _NONE.items():
        if item.get(key) is None:
            raise CaseFileError(code, file=file, line=item.lines.get(key, item.line))
    name, label, box = item.get("file"), item.get("label"), item.get("box")
    if not isinstance(name, str) or not name or not name.isprintable() or name.startswith("/") \
            or ".." in name.split("/"):  # fmt: skip
        raise _wrong(item, file, "file")
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise _wrong(item, file, "label")
    if not isinstance(box, list) or len(box) != 4 or not all(_number(v, _FARTHEST_PX) for v in box) \
            or min(box[2:]) < _SMALLEST_PX:  # fmt: skip
        raise _wrong(item, file, "box")
    frame, seconds = item.get("frame"), item.get("time_s")
    if frame is None and seconds is None:
        raise CaseFileError("case.mark_no_moment", file=file, line=item.line)
    if frame is not None and seconds is not None:
        raise CaseFileError("case.mark_two_moments", file=file, line=max(item.lines["frame"], item.lines["time_s"]),
                            frame=repr(frame)[:200], seconds=repr(seconds)[:200])  # fmt: skip
    if frame is not None and (isinstance(frame, bool) or not isinstance(frame, int) or frame < 0):
        raise _wrong(item, file, "frame")
    if seconds is not None and not _number(seconds, _LONGEST_S):
        raise _wrong(item, file, "time_s")
    x, y, width, height = (float(v) for v in box)
    time = None if seconds is None else str(Fraction(str(seconds)))
    return Marked(name, Mark(label, x, y, width, height, frame, time), item.line)


def _number(value: Any, most: float) -> bool:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    return good and 0 <= value <= most  # refuses NaN too


def _wrong(item: Block, file: str, key: str) -> CaseFileError:
    return CaseFileError("case.value", file=file, line=item.lines.get(key, item.line), key=f"marks {key}",
                         value=repr(item.get(key))[:200], allowed=_ALLOWED[key])  # fmt: skip
