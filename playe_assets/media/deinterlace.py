"""Whole frames from the two fields of each interlaced frame, by libavfilter's bwdif, one for one.

Source: the filter's own documentation and J. Mueller's Bob Weaver deinterlacing filter, after the BBC's
R&D white paper WHP 141 and M. Weston's US patent 4 789 893 (expired), as FFmpeg's `vf_bwdif.c` cites them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from playe_assets.core.contracts import Pixels

FIRST_FIELD = {"tt": "tff", "bt": "tff", "bb": "bff", "tb": "bff"}
"""FFmpeg's field order (coded first, then displayed first) to the field that is shown first."""
LEAST_WIDTH, LEAST_HEIGHT = 3, 4
"""bwdif refuses smaller pictures."""


class FieldsToFrames:
    """A run of frames that belong together, in order: lines of the field shown first stay, the others are
    interpolated from the same field and from the frames just before and after.

    Frames are (h, w, 1 or 3), uint8 or uint16, all alike, at least 4 lines and 3 columns. One thread.
    """

    def __init__(self, field_order: str) -> None:
        self._parity = FIRST_FIELD[field_order]
        self._graph: Any = None
        self._shape: tuple[int, ...] = ()
        self._format = ""
        self._given = 0

    def push(self, pixels: Pixels) -> list[Pixels]:
        """The frames that are finished now: none after the first one, then one behind each."""
        import av

        if self._graph is None:
            self._open(pixels)
        channels = self._shape[2]
        plain: Any = pixels[:, :, 0] if channels == 1 else pixels
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(plain), format=self._format)
        frame.time_base = Fraction(1, 25)
        frame.pts = self._given
        self._given += 1
        self._graph.vpush(frame)
        return self._ready()

    def finish(self) -> list[Pixels]:
        """The frames that were still held back, after the run's last one."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        found = self._ready()
        self._graph = None
        return found

    def _open(self, pixels: Pixels) -> None:
        import av

        self._shape = pixels.shape
        height, width, channels = pixels.shape
        wide = "16le" if pixels.dtype == np.uint16 else ""
        self._format = f"gbrp{wide}" if channels == 3 else (f"gray{wide}" if wide else "gray")
        graph: Any = av.filter.Graph()
        graph.threads = 1
        # Time stamps here only keep the order: each frame's own are put back by the caller.
        source = graph.add_buffer(width=width, height=height, format=self._format, time_base=Fraction(1, 25))
        bwdif = graph.add("bwdif", f"mode=send_frame:parity={self._parity}:deint=all")
        graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
        self._graph = graph

    def _ready(self) -> list[Pixels]:
        import av

        found: list[Pixels] = []
        while True:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return found
            found.append(np.ascontiguousarray(frame.to_ndarray()).reshape(self._shape))
