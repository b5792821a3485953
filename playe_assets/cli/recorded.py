"""The recorder of a command: who typed it, under a request id of its own; and which commands record what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playe_assets.custody.record import Recorder
    from playe_assets.examination.settings import Settings

RECORDED: Final[Mapping[str, tuple[str, ...]]] = {
    "demo": ("custody.submitted",),
    "up": ("custody.services",),
    "case submit": ("custody.submitted",),
    "case export": ("custody.exported",),
    "case verify": ("custody.case_verified",),
    "audit checkpoint": ("custody.checkpointed",),
    "audit export": ("custody.log_exported",),
    "report verify": ("custody.report_verified",),
    "models pull": ("custody.weights_pulled",),
    "models import": ("custody.weights_imported",),
    "models build": ("processing.model_built",),
    "models certify": ("processing.model_certified",),
    "models ready": ("processing.models_readied", "processing.model_certified"),
    "models approve": ("custody.model_approved",),
    "models warm": ("processing.models_warmed",),
    "models withdraw": ("custody.model_withdrawn",),
}
"""Commands that do something, and the events that they write themselves (an examination writes its own)."""

ONLY_LOOK: Final[Mapping[str, str]] = {
    "case list": "prints what the cases' own files say",
    "case show": "prints what the case's own files and Dagster say",
    "audit key": "prints the log's first public key",
    "audit proof": "prints a proof out of the log",
    "audit tail": "prints lines of the log; a line about that would call for the next",
    "audit verify": "reads and compares; it must work on a copy that nobody may write, and on a log that is broken",
    "models list": "prints the cards and what the log says of them",
    "models show": "prints a card, its certificates and what the log says of it",
}
"""Commands that change nothing and make nothing that leaves the screen, so that there is no operation to record."""


def cli_recorder(settings: Settings, case_id: str | None = None) -> Recorder:
    """A recorder for one command: of the case `case_id`, or of the laboratory where it belongs to no case.

    The operator is the user of the operating system (`auth` is `os-user`): an `operator` of a case, an
    `administrator` of the laboratory. The request id is `cli-<16 hex digits>`.
    """
    import getpass
    import secrets

    from playe_assets.custody.record import Operator, Recorder

    return Recorder(
        settings.log,
        request_id=f"cli-{secrets.token_hex(8)}",
        case_id=case_id,
        operator=Operator(getpass.getuser(), "administrator" if case_id is None else "operator", "os-user"),
        audit=settings.audit,
    )
