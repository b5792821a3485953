"""What one file of evidence may cost. Recorded with every intake, because they decide what is quarantined."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on decoding one file in the child process."""

    max_pixels: int = 120_000_000
    """Pixels a picture or frame. A 108-megapixel phone photograph passes; decoded by Pillow (4 bytes a
    pixel) it takes 432 MB, which fits into `max_memory_bytes` beside the libraries. 30000x30000 does not."""
    max_memory_bytes: int = 1 << 30
    """Address space of the child (RLIMIT_AS), libraries included; what it really holds is less."""
    max_cpu_s: int = 60
    """Processor seconds a file: full decoding of the largest photograph takes about 5."""
    max_wall_s: float = 120.0
    """Seconds by the clock a file; covers a disk that hangs as well."""
    max_frames: int = 5_000_000
    """Frames a clip: 55 hours at 25 frames a second; the ledger of more would not fit into the memory."""
    tail_packets: int = 120
    """Packets decoded at a clip's end, to see that it decodes; the enhance stage decodes and counts all."""
