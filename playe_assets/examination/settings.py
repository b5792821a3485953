"""The laboratory's settings: where data lies, how much is audited, who answers. Read when asked, never at import.

Order of precedence: explicit values (a Dagster resource, a CLI option), then the environment
(`PLAYE_DATA_ROOT`, `PLAYE_INBOX`, `PLAYE_AUDIT`, `PLAYE_LANGUAGE`, `PLAYE_THREADS`, `PLAYE_INLINE_PREVIEWS`,
`PLAYE_RUNTIME`, `PLAYE_DEVICE`, `PLAYE_PROVIDER`, `PLAYE_PRECISION`), then `laboratory.yaml` in the data
root, then the defaults below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from playe_assets.core.errors import CaseFileError
from playe_assets.core.presets import FOLDER as PRESETS
from playe_assets.core.texts import LANGUAGES
from playe_assets.core.yamlfile import read_block
from playe_assets.custody.checkpoints import Checkpoints
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.record import AUDIT_MODES
from playe_assets.inference.contract import PRECISIONS, Target
from playe_assets.inference.runtimes import RUNTIMES

PROJECT_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """Every setting, typed, with its default."""

    data_root: Path = PROJECT_ROOT / "models-data"
    inbox: Path = field(default=Path())
    """The watched folder; `inbox/` below the data root unless set."""
    audit: str = "full"
    """`off` (no log, no report), `basic` (without parameters and environment), `full`."""
    language: str = "en"
    threads: int = 0
    """Threads of OpenCV and the decoders; 0 takes what the machine has. Never changes a pixel (tested)."""
    inline_previews: bool = False
    """Thumbnails inside Dagster's event log. They outlive an erased case there, so: off."""
    quiet_s: float = 2.0
    """A folder with a complete `exhibits:` list is ready after this long without a change."""
    settle_s: float = 30.0
    """A folder without such a list is ready after this long without a change."""
    runtime: str = "openvino"
    """What learned models run on: `openvino`, `onnxruntime` or `torch`; nothing falls back to another. The default
    is the fastest on a processor (docs/performance.md); on a GPU choose another."""
    device: str = "cpu"
    """`cpu`, `cuda:0` ..."""
    provider: str = ""
    """ONNX Runtime's provider: `cpu`, `cuda`, `tensorrt`; empty takes the device's kind."""
    precision: str = "fp32"
    """`fp32`, `fp16` or `bf16`; each needs a certificate of its own."""
    log_origin: str = ""
    """The custody log's name in its checkpoints, such as `lab.example/custody`; empty derives one from its first key.
    Fixed when that key is made."""
    custody_key: str = ""
    """The log's first verifier key (`playe audit key` prints it), pinned: another one is refused. Empty: not pinned."""
    log_rotate_mib: int = 256
    """The log continues in a new file beyond this size, MiB; the chain goes on over the files. 0: never."""
    log_lock_timeout_s: float = 30.0
    tsa_url: str = ""
    """RFC 3161 time-stamping authority for checkpoints and signatures; empty: none."""
    tsa_roots: str = ""
    """PEM file with the authority's root certificates, against which its tokens are checked."""
    signing_key: str = ""
    """PEM file with the private key that signs reports; `signing_certificates` goes with it."""
    signing_certificates: str = ""
    """PEM file: the signer's certificate first, then its chain."""
    signing_pkcs12: str = ""
    """PKCS#12 file with key and certificates, instead of the two PEM files."""
    signing_passphrase_file: str = ""
    """File whose first line opens the key or the PKCS#12 file; empty: it is not encrypted."""
    trust_roots: str = ""
    """PEM file with the roots that signatures are checked against; empty: no signer is trusted."""
    require_case_uco: bool = False
    """Whether a report is issued only when its CASE/UCO export is valid (needs the extra `exchange`)."""
    laboratory: str = "PLAYE"
    address: str = ""
    accreditation: str | None = None
    authorised_by: str | None = None
    presets: Path = PRESETS
    """Folder of the recipes; a rerun has one of its own with the recipe that the report holds."""
    models_without_approval_for_the_rerun_of: str = ""
    """Id of the report whose steps are run again outside the laboratory that approved its models. Only a rerun sets
    it, for its scratch folder: approvals are not asked for, every record says so, and no report comes of it."""

    @property
    def cases(self) -> Path:
        """One folder a case: evidence store, manifests, reports."""
        return self.data_root / "cases"

    @property
    def log_path(self) -> Path:
        """The custody log of the laboratory."""
        return self.data_root / "audit" / "events.jsonl"

    @property
    def log(self) -> CustodyLog:
        """The custody log, ready to append and to read."""
        return CustodyLog(self.log_path, self.log_lock_timeout_s, self.log_rotate_mib << 20)

    @property
    def checkpoints(self) -> Checkpoints:
        """The log's signed checkpoints, ready to make and to read."""
        return Checkpoints(self.log, self.log_path.parent / "checkpoints", origin=self.log_origin,
                           pinned=self.custody_key, tsa_url=self.tsa_url)  # fmt: skip

    @property
    def weights(self) -> Path:
        """Installed weight files, named by model card."""
        return self.data_root / "weights"

    @property
    def registry(self) -> Path:
        """The model cards, tracked in the repository."""
        return PROJECT_ROOT / "models-data" / "registry.yaml"

    @property
    def own_cards(self) -> Path:
        """Cards that this laboratory added to the registry's."""
        return self.data_root / "cards.yaml"

    @property
    def engines(self) -> Path:
        """Exported graphs, compiled engines and certificates; everything here can be made again."""
        return self.data_root / "engines"

    @property
    def target(self) -> Target:
        """Where and how learned models run on this machine."""
        provider = self.provider or self.device.partition(":")[0]
        return Target(self.runtime, self.device, provider, self.precision, self.threads)

    @property
    def rejected(self) -> Path:
        """Folders that cannot become a case, each with its REASON.txt."""
        return self.inbox / "rejected"

    @property
    def accepted(self) -> Path:
        """Delivered folders after intake, as they came."""
        return self.data_root / "delivered"


_NEVER_WRITTEN = {"data_root", "presets", "models_without_approval_for_the_rerun_of"}
"""What no `laboratory.yaml` may set."""
_VARIABLES = {
    "data_root": "PLAYE_DATA_ROOT", "inbox": "PLAYE_INBOX", "audit": "PLAYE_AUDIT",
    "language": "PLAYE_LANGUAGE", "threads": "PLAYE_THREADS", "inline_previews": "PLAYE_INLINE_PREVIEWS",
    "runtime": "PLAYE_RUNTIME", "device": "PLAYE_DEVICE", "provider": "PLAYE_PROVIDER",
    "precision": "PLAYE_PRECISION", "quiet_s": "PLAYE_QUIET_S", "settle_s": "PLAYE_SETTLE_S",
}  # fmt: skip


def load_settings(given: Mapping[str, Any] | None = None) -> Settings:
    """The settings in force now.

    Raises:
        CaseFileError: a setting that does not exist or is out of range, with its source.
    """
    values: dict[str, Any] = {}
    explicit = {k: v for k, v in (given or {}).items() if v not in (None, "")}
    environment = {k: os.environ[v] for k, v in _VARIABLES.items() if os.environ.get(v)}
    root = Path(explicit.get("data_root") or environment.get("data_root") or Settings.data_root)
    file = root / "laboratory.yaml"
    if file.is_file():
        block = read_block(file.read_text(encoding="utf-8"), str(file), CaseFileError)
        known = {f.name for f in fields(Settings)} - _NEVER_WRITTEN
        for key in block.values:
            if key not in known:
                raise CaseFileError("case.unknown_key", file=str(file), line=block.lines[key], key=key,
                                    allowed=", ".join(sorted(known)))  # fmt: skip
        values.update(block.plain())
    values.update(environment)
    values.update(explicit)
    values["data_root"] = root.absolute()
    values["inbox"] = Path(values["inbox"]).absolute() if values.get("inbox") else root.absolute() / "inbox"
    for name in _FILES & values.keys():
        values[name] = str(root.absolute() / values[name]) if values[name] else ""
    return Settings(**{k: _typed(k, v) for k, v in values.items()})


_FILES = {"tsa_roots", "trust_roots", "signing_key", "signing_certificates", "signing_pkcs12",
          "signing_passphrase_file"}  # fmt: skip
"""Files that the laboratory keeps: a relative path begins in the data root, where `laboratory.yaml` lies."""


def _typed(name: str, value: Any) -> Any:
    default = getattr(Settings, name, None)
    choices = {"audit": AUDIT_MODES, "language": LANGUAGES, "precision": PRECISIONS,
               "runtime": RUNTIMES.names()}.get(name)  # fmt: skip
    if choices is not None and value not in choices:
        raise _wrong(name, value, " | ".join(choices))
    if isinstance(default, bool):
        word = str(value).lower()
        if word not in _TRUE + _FALSE:
            raise _wrong(name, value, "true | false")
        return word in _TRUE
    if isinstance(default, (int, float)):
        try:
            number = type(default)(value)
        except (TypeError, ValueError):
            raise _wrong(name, value, "a number") from None
        if number < 0:
            raise _wrong(name, value, "0 or more")
        return number
    return value


_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def _wrong(name: str, value: Any, allowed: str) -> CaseFileError:
    return CaseFileError("settings.value", name=name, value=repr(value), allowed=allowed)
