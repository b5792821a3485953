"""Peak memory of the whole pipeline: a long clip must need no more than a short one."""

from __future__ import annotations

import shutil

from benchmarks.measure import Figure, Options, bench, clip, peak_of, python

_SHORT = (("320x180", 320, 180, 600, 3600), ("1080p", 1920, 1080, 50, 150))
_LONG = (("320x180", 320, 180, 600, 36000), ("1080p", 1920, 1080, 250, 1500))


def run(options: Options) -> list[Figure]:
    """One plain process a clip, intake to report; the peak of its process tree."""
    found = []
    for label, width, height, few, many in _LONG if options.long else _SHORT:
        peaks, seconds = {}, {}
        for frames in (few, many):
            with bench() as place:
                folder = place.root / f"M-{frames}"
                folder.mkdir()
                clip(folder / "clip.mp4", width, height, frames)
                command = python("-m", "benchmarks.plain", str(folder), folder.name)
                seconds[frames], tree, largest = peak_of(command, place.env)
                peaks[frames] = tree
                shutil.rmtree(place.root / "data", ignore_errors=True)
                found.append(Figure(f"{label}, {frames} frames: peak of the tree", [tree], "MiB",
                                    note=f"largest process {largest:.0f} MiB, {seconds[frames]:.0f} s"))  # fmt: skip
        found.append(
            Figure(f"{label}: {many} frames / {few} frames", [peaks[many] / peaks[few]], "x", at_most=1.1)
        )
    return found
