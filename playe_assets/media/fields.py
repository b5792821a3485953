"""The fields of an interlaced frame: which is shown first, and whether libswscale is to keep them apart.

Which is first is read from the frame's own flag, not from the container's word.

Seen: Matroska files written by FFmpeg 5 state `tb` for frames that are flagged top field first; MPEG-4 part 2 and
DV in AVI state nothing. PyAV does not hand the flag out, but libavfilter's `fieldorder` obeys it: it moves the lines
of a frame whose order is not the wanted one, and leaves the others as they are.
"""

from __future__ import annotations

from fractions import Fraction
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


def chroma_lines(pixel_format: Any) -> int:
    """Lines of luma to one line of chroma: 2 in 4:2:0, else mostly 1; 1 too without chroma (`av.VideoFormat`)."""
    return 1024 // int(pixel_format.chroma_height(1024)) if len(pixel_format.components) >= 3 else 1


def as_stated(frame: Any, interlaced: bool) -> Any:
    """`frame` (`av.VideoFrame`), or its samples under the flag that `interlaced` asks for; nothing is copied.

    libswscale goes by this flag: it converts the lines of each field of an interlaced frame by themselves, with
    the chroma of the upper field a quarter and that of the lower one three quarters of a field's line below the
    luma (ITU-T H.264, figure 6-2).
    """
    if bool(frame.interlaced_frame) == interlaced:
        return frame
    import av

    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    flag = graph.add(
        "setfield", "tff" if interlaced else "prog"
    )  # which field is first changes no sample here
    graph.link_nodes(source, flag, graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def lacks_chroma(frame: Any) -> bool:
    """Whether a field has luma lines without chroma of its own, as the lower one of 486 lines of 4:2:0 has."""
    every = chroma_lines(frame.format)
    chroma = -(-frame.height // every)
    return any(-(-((frame.height + 1 - lower) // 2) // every) > (chroma + 1 - lower) // 2 for lower in (0, 1))


def with_whole_fields(frame: Any) -> Any:
    """A progressive copy of `frame`, its height the next multiple at which no field lacks chroma.

    Each field's last line is repeated; a field without any line takes the other's. libswscale would read
    behind the plane instead.
    """
    step = 2 * chroma_lines(frame.format)
    whole = as_stated(frame, False)
    larger = whole.reformat(
        height=-(-frame.height // step) * step
    )  # for size and properties: no sample of it stays
    for source, target in zip(whole.planes, larger.planes, strict=True):
        there, width = source.height, min(source.line_size, target.line_size)
        last = there - 1
        rows = [i if i < there else max(last - (i - last) % 2, 0) for i in range(target.height)]
        lines = np.frombuffer(source, np.uint8).reshape(-1, source.line_size)
        room = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)
        room[: len(rows), :width] = lines[rows, :width]
    return larger
