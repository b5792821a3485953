"""Clips: reading and writing beside FFmpeg, the stage beside its bare filters, memory of long and short clips."""

from __future__ import annotations

from benchmarks.measure import Figure, Options


def run(options: Options) -> list[Figure]:
    """All three."""
    return []
