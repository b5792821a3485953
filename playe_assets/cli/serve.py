"""`playe up`: the webserver and the daemon as child processes that end with us."""

from __future__ import annotations

import hashlib
import os
import signal
import socket as socketlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from playe_assets.cli.screen import sayer
from playe_assets.core.errors import CommandError

_START_S = 120.0
"""Patience with the code server: it imports Dagster, which takes a second or two, more on a busy machine."""
_LONGEST_SOCKET = 100
"""A Unix socket's path has at most 107 bytes; gRPC adds a few of its own."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the webserver.")
@click.option("--port", default=3000, show_default=True, help="Port of the webserver.")
@click.pass_context
def up(ctx: click.Context, host: str, port: int) -> None:
    """Run the webserver and the daemon; watch the inbox until Ctrl-C."""
    from playe_assets.cli.recorded import cli_recorder
    from playe_assets.defs.launch import dagster_home, open_instance
    from playe_assets.examination.settings import load_settings

    said = sayer(ctx)
    settings = load_settings()
    settings.inbox.mkdir(parents=True, exist_ok=True)
    with open_instance():
        pass
    logs = dagster_home() / "service_logs"
    params = {"host": host, "port": port, "inbox": str(settings.inbox), "dagster_home": str(dagster_home())}
    with (
        cli_recorder(settings).record("custody.services", step="up", params=params),
        _until_told_to_end(),
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
def _until_told_to_end() -> Iterator[None]:
    """Ctrl-C and SIGTERM are how services end: the record of them ends well, and so does the command."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(err=True)


@contextmanager
def code_server(logs: Path) -> Iterator[list[str]]:
    """One gRPC server of the definitions for web and daemon; gives the workspace arguments of both.

    It listens on a Unix socket that only this user can reach: no port to collide. Socket and location keep
    their names over restarts, because Dagster keeps a sensor's cursor under them.
    """
    socket = _socket(logs.parent)
    if _answers(socket):
        raise CommandError("serve.already", home=str(logs.parent))
    socket.unlink(missing_ok=True)
    workspace = logs.parent / "workspace.yaml"
    workspace.write_text(
        "# Written by `playe up`: one code server for webserver and daemon.\n"
        f"load_from:\n  - grpc_server: {{socket: '{socket}', host: localhost, location_name: playe}}\n",
        encoding="utf-8",
    )
    command = [_tool("dagster"), "api", "grpc", "--module-name", "playe_assets.definitions"]
    command += ["--socket", str(socket), "--location-name", "playe", "--use-python-environment-entry-point"]
    with child(command, logs / "dagster-code.log") as server:
        deadline = time.monotonic() + _START_S
        while not socket.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise CommandError("serve.code_server", log=str(logs / "dagster-code.log"))
            time.sleep(0.05)
        try:
            yield ["--workspace", str(workspace)]
        finally:
            socket.unlink(missing_ok=True)


def running(home: Path) -> bool:
    """Whether `playe up` (or another demo) serves this Dagster home now."""
    return _answers(_socket(home))


def _socket(home: Path) -> Path:
    """The code server's socket, in the Dagster home where its path is short enough for a Unix socket."""
    socket = home / "code.sock"
    if len(os.fsencode(socket)) > _LONGEST_SOCKET:
        name = f"playe-{os.getuid()}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"
        folder = Path(tempfile.gettempdir()) / name
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise CommandError("serve.socket_folder", folder=str(folder))
        socket = folder / "code.sock"
    return socket


def _answers(path: Path) -> bool:
    with socketlib.socket(socketlib.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


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
            for number, patience in ((signal.SIGTERM, 6.0), (signal.SIGKILL, 5.0)):
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
