"""Code points of ITU-T H.273 and FFmpeg's names for them; 2 (unspecified) and reserved values are absent."""

from __future__ import annotations

from typing import Final

MATRICES: Final = {0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco",
                   9: "bt2020nc", 10: "bt2020c", 14: "ictcp"}  # fmt: skip
PRIMARIES: Final = {1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film",
                    9: "bt2020", 10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213"}  # fmt: skip
TRANSFERS: Final = {1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear",
                    9: "log100", 10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1",
                    14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 17: "smpte428",
                    18: "arib-std-b67"}  # fmt: skip
RANGES: Final = {1: "limited", 2: "full"}
