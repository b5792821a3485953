"""Masters of clips decoded again: every frame against the time ledger, so that the one that differs is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from playe_assets.core.errors import PlayeError
from playe_assets.core.values import Derivative, EnhancedManifest
from playe_assets.examination.clips.pipeline import Chain, overlapped
from playe_assets.examination.clips.table import Digests
from playe_assets.media.clip import read_clip
from playe_assets.media.ledger_columns import read_ledger_columns
from playe_assets.media.pixel_digest import frame_sha256
from playe_assets.stores.case_store import CaseStore

_SAY_EVERY = 50
"""Frames between two words of progress."""


def clip_differences(
    store: CaseStore, manifest: EnhancedManifest, progress: Callable[[str, int, int], None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(key under `verify.`, facts) of each master whose frames are not those that its ledger states.

    A master or ledger that is gone is passed over: whoever asks has looked for objects before.
    """
    ledgers = {d.exhibit: d for d in manifest.derivatives if d.kind == "ledger" and d.suffix == ".parquet"}
    for master in manifest.derivatives:
        ledger = ledgers.get(master.exhibit)
        if (
            master.kind != "master"
            or ledger is None
            or not (store.has(master.sha256) and store.has(ledger.sha256))
        ):
            continue
        facts = {"derivative": master.number, "exhibit": master.exhibit}
        try:
            expected = Digests.packed(
                read_ledger_columns(store.get_bytes(ledger.sha256)).output_sha256.tobytes()
            )
            if expected.together() != master.pixel_sha256:
                yield "frames_digest", facts
                continue
            found = _first(store, master, expected, progress)
        except PlayeError as problem:
            yield "clip_unreadable", {**facts, "problem": str(problem)}
            continue
        if found is not None:
            code, at = found
            yield code, {**facts, **at}


def _first(
    store: CaseStore, master: Derivative, expected: Digests, progress: Callable[[str, int, int], None]
) -> tuple[str, dict[str, int]] | None:
    """The first frame that differs, or how many there are where their number does."""
    path, count = store.path(master.sha256), 0
    with read_clip(path) as reader, Chain() as chain:
        for frame in chain.add(overlapped(iter(reader))):
            if count < len(expected) and frame_sha256(frame.pixels) != expected[count]:
                return "frame_changed", {"frame": count}
            count += 1
            if count % _SAY_EVERY == 0:
                progress(f"{master.number} frames", count, max(count, len(expected)))
    if count != len(expected):
        return "frames_missing", {"found": count, "expected": len(expected)}
    return None
