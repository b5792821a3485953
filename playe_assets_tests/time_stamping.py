"""A real RFC 3161 authority on this machine: certificates made by openssl, answers of `openssl ts -reply` over HTTP.

    with authority(tmp_path) as tsa:
        Settings(tsa_url=tsa.url, tsa_roots=str(tsa.roots))

Its answers are real ones; a test that needs an unruly authority sets `tsa.answer`.
"""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPLY = "application/timestamp-reply"
Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

_CERTIFICATES = """
[req]
distinguished_name = name
prompt = no
[name]
CN = placeholder
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""

_AUTHORITY = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = {digests}
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """A running authority."""

    folder: Path
    url: str = ""
    asked: list[bytes] = field(default_factory=list)
    """The queries that came (DER)."""
    answer: Callable[[bytes], Answer] | None = None
    """What to answer instead of the real thing, by the query."""

    @property
    def roots(self) -> Path:
        """PEM file with its root certificate."""
        return self.folder / "root.pem"

    def reply(self, query: bytes) -> bytes:
        """The response of `openssl ts` to `query` (DER)."""
        (self.folder / "query.tsq").write_bytes(query)
        openssl("ts", "-reply", "-config", f"{self.folder}/authority.cnf", "-queryfile", f"{self.folder}/query.tsq",
                "-out", f"{self.folder}/reply.tsr")  # fmt: skip
        return (self.folder / "reply.tsr").read_bytes()


def openssl(*arguments: str) -> str:
    """Run openssl; its output."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def certified(
    folder: Path, usage: str = "critical, timeStamping", digests: str = "sha256, sha384, sha512"
) -> None:
    """Make the root, the authority's certificate with the extended key usage `usage`, and the authority's settings."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed; it is the time-stamping authority of these tests")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "certificates.cnf"
    config.write_text(_CERTIFICATES.format(usage=usage), encoding="ascii")
    key = (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-sha256",
        "-config",
        str(config),
    )
    openssl("req", "-x509", *key, "-extensions", "root", "-subj", "/O=Tests/CN=Root of time", "-days", "30",
            "-keyout", f"{folder}/root.key", "-out", f"{folder}/root.pem")  # fmt: skip
    openssl("req", "-new", *key, "-subj", "/O=Tests/CN=Authority of time", "-keyout", f"{folder}/tsa.key",
            "-out", f"{folder}/tsa.csr")  # fmt: skip
    openssl("x509", "-req", "-in", f"{folder}/tsa.csr", "-CA", f"{folder}/root.pem", "-CAkey", f"{folder}/root.key",
            "-CAcreateserial", "-days", "20", "-sha256", "-extfile", str(config), "-extensions", "tsa",
            "-out", f"{folder}/tsa.pem")  # fmt: skip
    (folder / "serial").write_text("01\n", encoding="ascii")
    settings = _AUTHORITY.format(folder=folder, digests=digests)
    (folder / "authority.cnf").write_text(settings, encoding="ascii")


@contextmanager
def authority(folder: Path, *, digests: str = "sha256, sha384, sha512") -> Iterator[Authority]:
    """An authority that serves on a free port of 127.0.0.1 while the block runs."""
    folder = folder.absolute() / "authority"
    certified(folder, digests=digests)
    found = Authority(folder)
    one_at_a_time = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            with one_at_a_time:
                found.asked.append(query)
                status, headers, body = (
                    found.answer(query)
                    if found.answer is not None
                    else (200, {"Content-Type": REPLY}, found.reply(query))
                )
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                return  # the other side had enough

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/"
    with pytest.MonkeyPatch.context() as patch:
        # A proxy of the machine that runs the tests is not asked for an address of its own.
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1")
        try:
            yield found
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
