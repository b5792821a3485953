"""`playe up`: how it ends, and what the log says of that."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from playe_assets.cli import playe, serve
from playe_assets_tests.laboratory import TestLaboratory


@pytest.fixture
def services(laboratory: TestLaboratory, monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Real children that sleep, in place of Dagster's."""
    started: list[subprocess.Popen[bytes]] = []

    def sleeper(logs: Path, *_more):
        @contextmanager
        def running():
            command = [sys.executable, "-c", "import time; time.sleep(60)"]
            with serve.child(command, logs / "child.log") as process:
                started.append(process)
                yield process

        return running()

    for name in ("code_server", "daemon", "webserver"):
        monkeypatch.setattr(serve, name, sleeper)
    return started


def waiting(monkeypatch, instead):
    """What happens while `up` watches its children; everybody else's clock goes on."""
    monkeypatch.setattr(serve, "time", SimpleNamespace(sleep=instead))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_services_end_that_was_asked_for_is_recorded_as_an_orderly_one(
    laboratory, services, monkeypatch, number
):
    waiting(monkeypatch, lambda _s: signal.raise_signal(number))
    done = CliRunner().invoke(playe, ["up"])
    assert done.exit_code == 0, done.output
    assert [(e["event"], e["status"], e["error"]) for e in laboratory.log()] == [
        ("custody.services", "started", None),
        ("custody.services", "ok", None),
    ]
    assert all(p.returncode is not None for p in services)


def test_a_service_that_dies_is_recorded_as_a_failure(laboratory, services, monkeypatch):
    def kill(_s):
        services[1].kill()
        services[1].wait()

    waiting(monkeypatch, kill)
    done = CliRunner().invoke(playe, ["up"])
    assert done.exit_code == 1
    assert [e["status"] for e in laboratory.log()] == ["started", "failed"]
    assert laboratory.log()[-1]["error"]["type"] == "SystemExit"
