"""The real processes: code server, daemon and webserver, from a dropped folder to a report."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from playe_assets.cli.serve import child
from playe_assets_tests.laboratory import write_case


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


def of_this_home(home: Path) -> dict[int, list[str]]:
    """Every process of this machine that works with the Dagster home `home`, by its environment."""
    found = {}
    for process in psutil.process_iter():
        try:
            if (
                process.environ().get("DAGSTER_HOME") == str(home)
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found[process.pid] = process.cmdline()[:4]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return {pid: line for pid, line in found.items() if pid != os.getpid()}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, query: str) -> dict[str, Any]:
    """The answer of the webserver's GraphQL."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    assert "errors" not in found, found
    return dict(found["data"])


def until(
    what: str, holds: Callable[[], Any], patience_s: float, up: subprocess.Popen[bytes], home: Path
) -> Any:
    """The first true answer of `holds`; fails with the ends of the services' logs."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and up.poll() is None:
        try:
            if found := holds():
                return found
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.25)
    logs = {p.name: p.read_text(errors="replace")[-1500:] for p in (home / "logs").glob("*.log")}
    raise AssertionError(f"{what}: not within {patience_s:g} s, `playe up` gave {up.poll()}\n{logs}")


def test_a_folder_dropped_while_playe_up_runs_becomes_a_report(laboratory, tmp_path):
    """The longest test of the suite, 30 to 60 s on two cores: three real services and a run of five processes."""
    port = free_port()
    home = laboratory.home
    command = [str(Path(sys.executable).with_name("playe")), "up", "--port", str(port)]
    with (tmp_path / "up.log").open("wb") as log:
        up = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        version = until("the webserver answers", lambda: ask(port, "{ version }"), 120, up, home)
        assert version == {"version": metadata.version("dagster-webserver")}
        inbox = laboratory.settings.inbox
        write_case(inbox / ".aside", "LIVE-1", operator="Live Operator")
        (inbox / ".aside").rename(inbox / "LIVE-1")
        runs = "{ runsOrError { ... on Runs { results { status jobName tags { key value } } } } }"

        def ended() -> Any:
            found = ask(port, runs)["runsOrError"]["results"]
            return found if found and found[0]["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

        (run,) = until("the run ends", ended, 240, up, home)
        tags = {t["key"]: t["value"] for t in run["tags"]}
        assert (run["status"], run["jobName"]) == ("SUCCESS", "examine_case"), laboratory.log()[-1:]
        assert (tags["dagster/sensor_name"], tags["playe/operator"]) == ("evidence_drop", "Live Operator")
        ticks = ask(port, """{ sensorOrError(sensorSelector: {repositoryLocationName: "playe",
            repositoryName: "__repository__", sensorName: "evidence_drop"}) { ... on Sensor {
            sensorState { status ticks(limit: 50) { status } } } } }""")["sensorOrError"]["sensorState"]  # fmt: skip
        assert ticks["status"] == "RUNNING"
        assert {"SUCCESS"} <= {t["status"] for t in ticks["ticks"]} <= {"SUCCESS", "SKIPPED", "STARTED"}
        (report,) = laboratory.reports("LIVE-1")
        assert report["report_id"] == "LIVE-1-R01"
        assert {e["operator"]["id"] for e in laboratory.log("LIVE-1")} == {"Live Operator"}
        assert not (inbox / "LIVE-1").exists(), "a delivered folder is moved out of the inbox"
        assert (laboratory.settings.accepted / "LIVE-1" / "001-LIVE-1" / "case.yaml").is_file()
        assert len(of_this_home(home)) >= 4
    finally:
        up.send_signal(signal.SIGTERM)  # a background job of a shell ignores SIGINT, and so would `up`
        try:
            up.wait(120)
        finally:
            if up.poll() is None:
                os.killpg(up.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while of_this_home(home) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert of_this_home(home) == {}
    storage = b"".join(p.read_bytes() for p in (home / "storage").rglob("*") if p.is_file())
    assert b"LIVE-1" in storage
    assert b"secret_name" not in storage
