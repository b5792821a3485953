"""The real processes: code server, daemon and webserver, from a dropped folder to a report."""

from __future__ import annotations

import time
from pathlib import Path

from playe_assets.cli.serve import child


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_child_is_ended_with_all_that_it_started(tmp_path):
    note = tmp_path / "grandchild"
    with child(["sh", "-c", f"sleep 30 & echo $! > '{note}'; wait"], tmp_path / "log") as process:
        deadline = time.monotonic() + 10
        while not (note.exists() and note.read_text().endswith("\n")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        grandchild = int(note.read_text())
        assert alive(grandchild)
    assert process.poll() is not None
    time.sleep(0.05)
    assert not alive(grandchild)
