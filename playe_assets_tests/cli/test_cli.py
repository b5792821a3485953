"""The command line as people and scripts meet it: words, JSON, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    import os

    tool = Path(sys.executable).with_name("playe")
    return subprocess.run(
        [str(tool), *words], capture_output=True, text=True, timeout=120, env={**os.environ, **(env or {})}
    )


def test_help_lists_every_command_and_what_it_is_for():
    told = run("--help")
    assert told.returncode == 0
    assert told.stderr == ""
    for word in ("demo", "up", "case", "models", "--language", "Examine a small evidence folder"):
        assert word in told.stdout
