"""Intake of a clip of 1 GiB beside `sha256sum F` and `cp F G` of the same file, in turn, in one run."""

from __future__ import annotations

import os
import subprocess
import time
from fractions import Fraction
from pathlib import Path

from benchmarks.measure import MIB, Bench, Figure, Options, bench, python, scenes, timed

_BYTES = 1 << 30


def run(options: Options) -> list[Figure]:
    """Speed as a share of sha256sum + cp: > 1 is faster than both commands one after the other."""
    plain: list[float] = []
    durable: list[float] = []
    whole: list[float] = []
    speed: list[float] = []
    reference: list[float] = []
    with bench() as place:
        folder = place.root / "drop"
        folder.mkdir()
        source = _clip(folder / "big.mkv")
        copy = place.root / "copy"
        for number in range(options.repeats):
            subprocess.run(["cat", source], stdout=subprocess.DEVNULL, check=True)  # in the cache for both
            os.sync()
            began = time.perf_counter()
            subprocess.run(["sha256sum", source], stdout=subprocess.DEVNULL, check=True)
            subprocess.run(["cp", source, copy], check=True)
            copied = time.perf_counter() - began
            subprocess.run(["sync", copy], check=True)
            synced = time.perf_counter() - began
            copy.unlink()
            os.sync()
            ours = _acquire(place, source, number)
            os.sync()
            intake = _intake(place, folder, number)
            plain.append(copied / ours)
            durable.append(synced / ours)
            whole.append(synced / intake)
            speed.append(source.stat().st_size / MIB / ours)
            reference.append(source.stat().st_size / MIB / synced)
    return [
        Figure("acquiring 1 GiB / (sha256sum + cp)", plain, "x", at_least=0.8,
               note="ours hashes three times and is on the disk; cp's copy is not"),
        Figure("acquiring 1 GiB / (sha256sum + cp + sync)", durable, "x", at_least=0.8),
        Figure("whole intake with probing / (sha256sum + cp + sync)", whole, "x"),
        Figure("acquiring, speed", speed, "MiB/s"),
        Figure("sha256sum + cp + sync, speed", reference, "MiB/s"),
    ]  # fmt: skip


def _clip(path: Path) -> Path:
    """FFV1 in Matroska, a few noisy frames coded once and written over and over until 1 GiB is full."""
    import av
    import numpy as np

    rng = np.random.default_rng(3)
    with av.open(str(path), "w") as target:
        stream = target.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 1920, 1080, "yuv420p", Fraction(1, 25)
        packets = []
        for index, base in enumerate(scenes(1920, 1080, 8)):
            noisy = np.clip(base.astype(np.int16) + rng.integers(-90, 90, base.shape), 0, 255).astype(
                np.uint8
            )
            picture = av.VideoFrame.from_ndarray(noisy, format="rgb24")
            picture.pts = index
            packets += [(bytes(p), p.is_keyframe) for p in stream.encode(picture)]
        packets += [(bytes(p), p.is_keyframe) for p in stream.encode(None)]
        keys = [data for data, key in packets if key]  # an inter-coded FFV1 frame cannot be moved
        written, number = 0, 0
        while written < _BYTES:
            packet = av.Packet(keys[number % len(keys)])
            packet.stream, packet.pts, packet.dts, packet.duration = stream, number, number, 1
            packet.time_base, packet.is_keyframe = Fraction(1, 25), True
            target.mux(packet)
            written, number = written + packet.size, number + 1
    return path


def _acquire(place: Bench, source: Path, number: int) -> float:
    from playe_assets.examination.acquire import acquire
    from playe_assets.stores.case_store import CaseStore

    root = place.root / f"store-{number}"
    store = CaseStore(root)
    descriptor = os.open(source, os.O_RDONLY)
    began = time.perf_counter()
    acquire(store, descriptor)
    seconds = time.perf_counter() - began
    os.close(descriptor)
    timed(["rm", "-rf", str(root)])
    return seconds


def _intake(place: Bench, folder: Path, number: int) -> float:
    code = (
        "import sys, time; from pathlib import Path;"
        "from playe_assets.examination.intake import take_delivery; from playe_assets.media.limits import Limits;"
        "from playe_assets.stores.case_store import CaseStore; t = time.perf_counter();"
        "f = take_delivery(CaseStore(Path(sys.argv[1])), Path(sys.argv[2]), delivery=1, known=(), references={},"
        " limits=Limits()); assert f.exhibits[0].status == 'accepted', f.exhibits[0].reason;"
        "print(time.perf_counter() - t)"
    )
    root = place.root / f"case-{number}"
    seconds = float(timed(python("-c", code, str(root), str(folder)), place.env)[1])
    timed(["rm", "-rf", str(root)])
    return seconds
