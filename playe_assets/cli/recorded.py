"""The recorder of a command: who typed it, under a request id of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playe_assets.custody.record import Recorder
    from playe_assets.examination.settings import Settings


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
