"""Which field of an interlaced frame is shown first: by the frame's own flag, not by the container's word.

Seen: Matroska files written by FFmpeg 5 state `tb` for frames that are flagged top field first; MPEG-4 part 2 and
DV in AVI state nothing. PyAV does not hand the flag out, but libavfilter's `fieldorder` obeys it: it moves the lines
of a frame whose order is not the wanted one, and leaves the others as they are.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

_STATED: Final = {2: "tt", 3: "bb", 4: "tb", 5: "bt"}
"""AVFieldOrder: the field coded first, then the one shown first."""


def field_order_of(frame: Any, stated: int) -> str | None:
    """`tt`, `bb`, `tb` or `bt` of an interlaced `frame` (`av.VideoFrame`); null where neither it nor the stream says.

    `stated` is the codec context's `field_order`; it decides where the picture is too even to tell, and which
    field is coded first where it agrees with the frame.
    """
    word = _STATED.get(stated)
    moved = {order: _moved(frame, order) for order in ("tff", "bff")}
    if moved["tff"] == moved["bff"]:
        return word
    shown = "t" if moved["bff"] else "b"
    return word if word is not None and word[1] == shown else shown * 2


def field_order_stated(stated: int) -> str | None:
    """The codec context's word alone."""
    return _STATED.get(stated)


def _moved(frame: Any, order: str) -> bool:
    import av

    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    luma = graph.add("extractplanes", "y")
    graph.link_nodes(source, luma, graph.add("fieldorder", order), graph.add("buffersink")).configure()
    graph.vpush(frame)
    made: Any = graph.vpull().to_ndarray()
    plane = frame.planes[0]
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height]
    mine = lines[:, : made.itemsize * frame.width]
    return not np.array_equal(np.ascontiguousarray(made).view(np.uint8).reshape(frame.height, -1), mine)
