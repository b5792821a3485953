"""The laboratory's signing key and roots as the settings name them. Paths without a root lie in the data root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from playe_assets.core.errors import CommandError, MissingResourceError
from playe_assets.examination.settings import Settings
from playe_assets.exporters.signatures import verify_detached
from playe_assets.exporters.signer import Signer, load_signer
from playe_assets.exporters.signer_files import SignerFiles

_TRIAL = b"PLAYE: does this key sign?"


def check_signer(settings: Settings) -> Signer | None:
    """The signer, tried once without a time stamp; None where no key is configured. Called before any work.

    Raises:
        CommandError, MissingResourceError: what does not fit, with file, value and remedy.
    """
    signer = load_signer(
        SignerFiles(
            key=_path(settings, settings.signing_key),
            certificates=_path(settings, settings.signing_certificates),
            pkcs12=_path(settings, settings.signing_pkcs12),
            passphrase=_path(settings, settings.signing_passphrase_file),
            tsa_url=settings.tsa_url,
        )
    )
    roots, authorities = trust_roots(settings), tsa_roots(settings)
    if signer is None:
        return None
    tried = verify_detached(_TRIAL, signer.offline().sign_detached(_TRIAL), roots)
    if roots is not None and not tried.trusted:
        raise CommandError("signing.untrusted", subject=signer.name, issuer=tried.issuer,
                           file=str(_path(settings, settings.trust_roots)))  # fmt: skip
    if not tried.intact:
        raise CommandError("signing.trial", subject=signer.name, problem=tried.problem or tried.state)
    return replace(signer, tsa_roots=authorities)


def trust_roots(settings: Settings) -> bytes | None:
    """The roots that signers are checked against, PEM; None where none are configured.

    Raises:
        MissingResourceError: the file is not there.
    """
    return _read(settings, "trust_roots", settings.trust_roots)


def tsa_roots(settings: Settings) -> bytes | None:
    """The roots that time-stamping authorities are checked against, PEM; None where none are configured.

    Raises:
        MissingResourceError: the file is not there.
    """
    return _read(settings, "tsa_roots", settings.tsa_roots)


def _path(settings: Settings, value: str) -> Path | None:
    return settings.data_root / value if value else None


def _read(settings: Settings, name: str, value: str) -> bytes | None:
    path = _path(settings, value)
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as problem:
        raise MissingResourceError("signing.absent", file=str(path), setting=name,
                                   problem=problem.strerror or str(problem)) from None  # fmt: skip
