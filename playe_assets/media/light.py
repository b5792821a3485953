"""What a clip states about the display it was mastered on and its brightest light, and what is carried of it.

Such statements change no pixel. `probe_clip` keeps them as text beside the stream's other metadata.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from playe_assets.core.values import Reason

if TYPE_CHECKING:
    from playe_assets.core.values import StreamFacts

MASTERING: Final = "video mastering display"
"""`G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)` in units of 0.00002 and 0.0001 cd/m2 (ITU-T H.265, D.3.28)."""
LIGHTEST: Final = "video content light"
"""`MaxCLL,MaxFALL`, cd/m2 (D.3.35)."""
FURTHER: Final = "video light metadata"
"""Names of other statements (ambient light, Dolby Vision), which nothing here carries."""
_FURTHER: Final = ("AMBIENT_VIEWING_ENVIRONMENT", "DOVI_METADATA", "DYNAMIC_HDR_PLUS", "DYNAMIC_HDR_VIVID")


def light_of(frame: Any) -> dict[str, str]:
    """The statements of one decoded frame (`av.VideoFrame`), by the keys above; empty for most clips."""
    found, further = {}, []
    for position in range(len(frame.side_data)):
        side = frame.side_data[position]
        name = getattr(side.type, "name", "")
        if name == "MASTERING_DISPLAY_METADATA":
            stated = _mastering(bytes(side))
            if stated:
                found[MASTERING] = stated
        elif name == "CONTENT_LIGHT_LEVEL" and len(bytes(side)) >= 8:
            found[LIGHTEST] = "{},{}".format(*struct.unpack("=2I", bytes(side)[:8]))
        elif name in _FURTHER:
            further.append(name)
    if further:
        found[FURTHER] = ", ".join(sorted(further))
    return found


def _mastering(data: bytes) -> str | None:
    """AVMasteringDisplayMetadata: ten rationals (red, green, blue, white, least and greatest luminance), two flags."""
    if len(data) < 88:
        return None
    numbers = struct.unpack("=22i", data[:88])
    if not (numbers[20] and numbers[21]) or 0 in numbers[1:20:2]:
        return None
    unit = [n / d for n, d in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
    r, g, b, w = ([round(v * 50000) for v in unit[i : i + 2]] for i in (0, 2, 4, 6))
    least, most = (round(v * 10000) for v in unit[8:10])
    return (f"G({g[0]},{g[1]})B({b[0]},{b[1]})R({r[0]},{r[1]})WP({w[0]},{w[1]})"
            f"L({most},{least})")  # fmt: skip


def x265_light(facts: StreamFacts | None) -> list[str]:
    """The parameters by which x265 states them again."""
    stated = (facts.exif or {}) if facts else {}
    found = [f"master-display={stated[MASTERING]}"] if MASTERING in stated else []
    return [*found, *([f"max-cll={stated[LIGHTEST]}"] if LIGHTEST in stated else [])]


def light_not_carried(facts: StreamFacts | None, derivative: str, hevc: bool = False) -> tuple[Reason, ...]:
    """The deviation of a derivative that cannot state all that the source does."""
    stated = (facts.exif or {}) if facts else {}
    lost = [k for k in (MASTERING, LIGHTEST) if k in stated and not hevc]
    names = [k.removeprefix("video ") for k in lost] + ([stated[FURTHER]] if FURTHER in stated else [])
    return (
        (Reason("light_not_carried", {"what": ", ".join(names), "derivative": derivative}),) if names else ()
    )
