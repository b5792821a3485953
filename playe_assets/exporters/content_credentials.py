"""C2PA Content Credentials: the report's pictures and clips with a signed manifest of how they came from the exhibit.

PNG, JPEG and MP4 carry it inside, Matroska beside (`.c2pa`, bound by the hash of the whole file). Nothing is encoded
again, and the evidence store's objects stay as they are. Withheld derivatives are left out, which the index says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from playe_assets.core.errors import CommandError, IntegrityError, MissingResourceError
from playe_assets.core.texts import LANGUAGES, text
from playe_assets.exporters.credentials_actions import SOURCE_TYPES, definition, exported_kinds
from playe_assets.exporters.credentials_library import (
    EMBEDDED,
    check_signer,
    library_version,
    read_credentials,
    sign_file,
)
from playe_assets.exporters.exchange import Exchange, Given, Signing
from playe_assets.exporters.signer import Signer, load_signer
from playe_assets.exporters.signer_files import SignerFiles

INDEX = "content-credentials.json"
_PIECE = 4 << 20


class ContentCredentials(Exchange):
    """`<report id>-c2pa/`: one file a derivative, sidecars, and an index that says what was left out and why."""

    name: ClassVar[str] = "c2pa"
    needs: ClassVar[tuple[str, ...]] = ("c2pa",)

    def write(self, given: Given, folder: Path) -> None:
        """Sign every derivative that the report does not withhold, and read each back.

        Raises:
            CommandError: no signing key is configured, or its certificate cannot sign manifests.
            IntegrityError: an object of the store is absent or altered, or what was signed does not read back whole.
            TransientError: the time-stamping authority did not answer.
        """
        signer, algorithm = signing_key(given.signing)
        roots = _roots(given.signing.trust_roots, "trust_roots")
        if roots is not None:
            roots += _roots(given.signing.tsa_roots, "tsa_roots") or b""
        report, digest = given.report, given.files["report.json"]
        out = folder / f"{report['report_id']}-c2pa"
        out.mkdir()
        withheld = {w["derivative"] for w in report["sections"]["pictures"]["withheld"]}
        items, left_out = [], []
        for derivative in report["findings"]["derivatives"]:
            why = _why_not(derivative, withheld)
            if why:
                left_out.append({**_named(derivative), "reason": why, "said": _said(why, derivative)})
                continue
            source = _stored(given, derivative["sha256"])
            stated = definition(report, digest, derivative)
            items.append(_credential(source, out, derivative, stated, signer, algorithm, roots))
        index = {
            "schema": "playe-content-credentials/1",
            "report_id": report["report_id"],
            "report_sha256": digest,
            "signer": {"name": signer.name, "certificate_sha256": signer.certificate_sha256,
                       "algorithm": algorithm},
            "library": library_version(),
            "items": items,
            "left_out": left_out,
        }  # fmt: skip
        raw = json.dumps(index, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8") + b"\n"
        (out / INDEX).write_bytes(raw)


def signing_key(signing: Signing) -> tuple[Signer, str]:
    """The configured key and C2PA's name of its algorithm.

    Raises:
        CommandError: none is configured, or it cannot sign manifests; the message says what is needed.
    """

    def path(value: str) -> Path | None:
        return Path(value) if value else None

    files = SignerFiles(path(signing.key), path(signing.certificates), path(signing.pkcs12),
                        path(signing.passphrase_file), signing.tsa_url)  # fmt: skip
    signer = load_signer(files)
    if signer is None:
        raise CommandError("credentials.no_key")
    return signer, check_signer(signer, signing.pkcs12 or signing.certificates)


def _credential(
    source: Path, out: Path, derivative: Mapping[str, Any], stated: dict[str, Any], signer: Signer,
    algorithm: str, roots: bytes | None,
) -> dict[str, Any]:  # fmt: skip
    kind = derivative["media_type"]
    goal = out / f"{derivative['number']}{derivative['suffix']}"
    manifest = sign_file(source, goal, kind, stated, signer, algorithm)
    beside = None if kind in EMBEDDED else goal.with_suffix(".c2pa")
    if beside is not None:
        beside.write_bytes(manifest)
    found = read_credentials(goal, kind, manifest if beside else None, roots)
    own = hash_of(goal)
    altered = beside is not None and own != derivative["sha256"]
    if altered or not found.whole:
        raise IntegrityError("credentials.not_whole", name=derivative["number"],
                             problems=", ".join(found.problems) or found.state)  # fmt: skip
    return {
        **_named(derivative),
        "file": goal.name,
        "sha256": own,
        "sidecar": beside.name if beside else None,
        "sidecar_sha256": hash_of(beside) if beside else None,
        "derivative_sha256": derivative["sha256"],
        "ai_class": derivative["ai_class"],
        "digital_source_type": SOURCE_TYPES[derivative["ai_class"]],
        "manifest": found.label,
        "state": found.state,
        "stamped_utc": found.stamped_utc or None,
        "stamp_trusted": found.stamp_trusted if found.stamped_utc else None,
    }


def _named(derivative: Mapping[str, Any]) -> dict[str, Any]:
    return {k: derivative[k] for k in ("exhibit", "kind")} | {"derivative": derivative["number"]}


def _why_not(derivative: Mapping[str, Any], withheld: set[str]) -> str:
    """Why a derivative is left out, as a key under `credentials.left_out.`; empty where it is exported."""
    if derivative["number"] in withheld:
        return "withheld"
    return "" if derivative["kind"] in exported_kinds() else "no_picture"


def _said(why: str, derivative: Mapping[str, Any]) -> dict[str, str]:
    facts = {"derivative": derivative["number"], "exhibit": derivative["exhibit"]}
    return {language: text(f"credentials.left_out.{why}", language, **facts) for language in LANGUAGES}


def _stored(given: Given, sha256: str) -> Path:
    if given.objects is None or not given.objects.has(sha256):
        raise IntegrityError("store.absent", sha256=sha256,
                             path=str(given.objects.path(sha256)) if given.objects else "-")  # fmt: skip
    path = given.objects.path(sha256)
    found = hash_of(path)
    if found != sha256:
        raise IntegrityError("store.digest", sha256=sha256, found=found, path=str(path))
    return path


def _roots(file: str, setting: str) -> bytes | None:
    if not file:
        return None
    try:
        return Path(file).read_bytes() + b"\n"
    except OSError as problem:
        raise MissingResourceError("signing.absent", file=file, setting=setting,
                                   problem=problem.strerror or str(problem)) from None  # fmt: skip


def hash_of(path: Path) -> str:
    """The sha256 of a file, read in pieces."""
    running = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            running.update(piece)
    return running.hexdigest()
