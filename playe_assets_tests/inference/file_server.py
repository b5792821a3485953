"""A web server on this machine that gives one file, with ranges, and can be told to misbehave."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Behaviour:
    """What the server does; tests change it between requests."""

    data: bytes
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the next connections end, one a connection."""
    length: int | None = None
    """A Content-Length that is not true."""
    statuses: list[int] = field(default_factory=list)
    """Answers instead of the file, one a request."""
    shift: int = 0
    """A range begins this many bytes later than asked for."""
    location: str | None = None
    encoding: str | None = None
    seen: list[str | None] = field(default_factory=list)
    """The Range header of every request."""


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """The address of the file while the server runs."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            behaviour.seen.append(self.headers.get("Range"))
            if behaviour.statuses:
                self.send_error(behaviour.statuses.pop(0))
                return
            if behaviour.location and self.path == "/file":
                self.send_response(302)
                self.send_header("Location", behaviour.location)
                self.end_headers()
                return
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            start = int(asked[1]) if asked and behaviour.ranges else 0
            if start and start >= len(behaviour.data):
                self.send_error(416)
                return
            self._give(start)

        def _give(self, start: int) -> None:
            size = len(behaviour.data)
            if start:
                start = start + behaviour.shift
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            else:
                self.send_response(200)
            told = behaviour.length if behaviour.length is not None else size - start
            self.send_header("Content-Length", str(told))
            if behaviour.encoding:
                self.send_header("Content-Encoding", behaviour.encoding)
            self.end_headers()
            body = behaviour.data[start:]
            if behaviour.cut_after:
                body = body[: behaviour.cut_after.pop(0)]
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/file"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
