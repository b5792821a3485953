"""`playe up`: the webserver and the daemon as child processes that end with us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from playe_assets.cli.screen import sayer


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the webserver.")
@click.option("--port", default=3000, show_default=True, help="Port of the webserver.")
@click.pass_context
def up(ctx: click.Context, host: str, port: int) -> None:
    """Run the webserver and the daemon; watch the inbox until Ctrl-C."""
    from playe_assets.defs.launch import dagster_home, open_instance
    from playe_assets.examination.settings import load_settings

    said = sayer(ctx)
    settings = load_settings()
    settings.inbox.mkdir(parents=True, exist_ok=True)
    with open_instance():
        pass
    logs = dagster_home() / "service_logs"
    with (
        code_server(logs) as workspace,
        daemon(logs, workspace) as runner,
        webserver(logs, workspace, host, port) as web,
    ):
        click.echo(said("up", address=f"http://{host}:{port}", inbox=settings.inbox, logs=logs))
        while runner.poll() is None and web.poll() is None:
            time.sleep(0.5)
        dead = "dagster-webserver" if web.poll() is not None else "dagster-daemon"
        click.echo(said("up_died", name=dead, log=logs / f"{dead}.log"), err=True)
        sys.exit(1)


@contextmanager
def code_server(logs: Path) -> Iterator[list[str]]:
    """One gRPC server of the definitions for web and daemon; gives the workspace arguments of both.

    It listens on a Unix socket below the Dagster home: no port to collide, nobody else can reach it.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="playe-") as folder:
        socket = str(Path(folder) / "code.sock")
        command = [_tool("dagster"), "api", "grpc", "--module-name", "playe_assets.definitions", "--socket", socket,
                   "--location-name", "playe", "--use-python-environment-entry-point"]  # fmt: skip
        with child(command, logs / "dagster-code.log") as server:
            deadline = time.monotonic() + 60
            while not Path(socket).exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise click.ClickException(
                        f"the code server did not start; see {logs / 'dagster-code.log'}"
                    )
                time.sleep(0.05)
            yield ["--grpc-socket", socket, "--grpc-host", "localhost"]


@contextmanager
def daemon(logs: Path, workspace: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """dagster-daemon: sensors, run queue, run monitoring."""
    with child([_tool("dagster-daemon"), "run", *workspace], logs / "dagster-daemon.log") as process:
        yield process


@contextmanager
def webserver(logs: Path, workspace: list[str], host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """dagster-webserver on `host`:`port`."""
    command = [_tool("dagster-webserver"), "-h", host, "-p", str(port), *workspace]
    with child(command, logs / "dagster-webserver.log") as process:
        yield process


@contextmanager
def child(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a process group of its own, which is ended with all that it started when the block ends."""
    log.parent.mkdir(parents=True, exist_ok=True)

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            yield process
        finally:
            signal.signal(signal.SIGTERM, before)
            for number, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
                if process.poll() is not None:
                    break
                os.killpg(process.pid, number)
                try:
                    process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
            _end_group(process.pid)


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
