"""A checkpoint's time stamp: asked for, kept beside the note, stated in the log, so that a removed one is missed."""

from __future__ import annotations

import getpass
import hashlib
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from playe_assets.core.durable import write_durably
from playe_assets.core.errors import PlayeError
from playe_assets.custody import timestamps
from playe_assets.custody.note import digest
from playe_assets.custody.record import Operator, Recorder

if TYPE_CHECKING:
    from playe_assets.custody.checkpoints import Kept
    from playe_assets.custody.log import CustodyLog

FAILED = "custody.timestamp_failed"
"""The record of a time stamp that could not be had; its input is the note."""
STAMPED = "custody.timestamped"
"""The record of one that was had: its input is the note, its output the token."""


def stamped(log: CustodyLog, kept: Kept, url: str, timeout_s: float, recorder: Recorder | None) -> Kept:
    """`kept` with its time stamp where an authority is set. Had or not, the log says so once; a failure is tried again.

    The token lies on the disk before the log states it: a crash in between leaves one that is stated the next time.
    One beside which the log states another is left to the audit.
    """
    if kept.token is None:
        if not url:
            return kept
        try:
            token = timestamps.request_token(url, kept.note.encode(), timeout_s)
        except PlayeError as problem:
            if not _recorded(log, kept, FAILED):
                error = {"type": type(problem).__name__, "code": problem.code, "message": str(problem)}
                (recorder or _own_recorder(log)).note(
                    FAILED, step="time stamp", input_sha256=[digest(kept.note)], error=error,
                    params={"url": url, "timeout_s": timeout_s, "epoch": kept.epoch},
                )  # fmt: skip
            return kept
        write_durably(kept.path.with_suffix(".tsr"), token)
        kept = replace(kept, token=token)
        _state(log, kept, url, recorder)
    elif not _recorded(log, kept, STAMPED):
        _state(log, kept, url, recorder)
    return kept


def _state(log: CustodyLog, kept: Kept, url: str, recorder: Recorder | None) -> None:
    """The pair that names the token."""
    token = kept.token or b""
    sha256 = hashlib.sha256(token).hexdigest()
    (recorder or _own_recorder(log)).note(
        STAMPED, step="time stamp", input_sha256=[digest(kept.note)], output_sha256=[sha256],
        params={"url": url, "epoch": kept.epoch, "time_utc": timestamps.stated_time(token)},
    )  # fmt: skip


def _own_recorder(log: CustodyLog) -> Recorder:
    operator = Operator(getpass.getuser(), "laboratory", "os-user")
    return Recorder(log, request_id=secrets.token_hex(8), case_id=None, operator=operator)


def _recorded(log: CustodyLog, kept: Kept, event: str) -> bool:
    """Whether a record of the event that names the note has ended since the checkpoint."""

    def names(entry: dict[str, Any]) -> bool:
        return (
            entry.get("event") == event
            and entry.get("status") != "started"
            and entry.get("input_sha256") == [digest(kept.note)]
        )

    return any(entry is not None and names(entry) for _, entry, _ in log.read(kept.checkpoint.size))
