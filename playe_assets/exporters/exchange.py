"""The formats in which an issued report is handed to other systems: one file and one registry line a format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from playe_assets.core.registry import Registry


class Stored(Protocol):
    """The evidence store as an exporter sees it."""

    def path(self, sha256: str) -> Path:
        """Where the object lies or would lie."""
        ...

    def has(self, sha256: str) -> bool:
        """Whether it is there."""
        ...

    def get_bytes(self, sha256: str) -> bytes:
        """Its bytes, hashed again."""
        ...


@dataclass(frozen=True)
class Signing:
    """Who signs an export, as the laboratory's settings say: paths of files, empty where not set."""

    key: str = ""
    certificates: str = ""
    pkcs12: str = ""
    passphrase_file: str = ""
    tsa_url: str = ""
    trust_roots: str = ""
    tsa_roots: str = ""


@dataclass(frozen=True)
class Given:
    """What an exporter is given: one issued report as it lies on the disk."""

    report: Mapping[str, Any]
    files: Mapping[str, str]
    """Name to sha256 of the report's files (`report.json`, `report.pdf`, a signature)."""
    objects: Stored | None = None
    """The case's evidence store; None where only facts are exported."""
    signing: Signing = field(default_factory=Signing)


class Exchange(ABC):
    """One format. It states nothing that the report does not state, and never the pixels of what is withheld."""

    name: ClassVar[str]
    """As `--format` takes it."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Modules without which it cannot write; they come with the extra `exchange`."""

    @abstractmethod
    def write(self, given: Given, folder: Path) -> None:
        """Write the files of the export below `folder`, which is empty; whoever asked makes them durable.

        Raises:
            PlayeError: it cannot be made; what lies in `folder` is thrown away.
        """


EXCHANGES: Registry[Exchange] = Registry(
    "exchange format",
    {
        "case-uco": "playe_assets.exporters.case_uco:CaseUco",
        "prov": "playe_assets.exporters.prov:ProvJson",
        "c2pa": "playe_assets.exporters.content_credentials:ContentCredentials",
    },
)
