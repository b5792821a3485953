"""What must hold before a report is issued, where the laboratory asks for it: its CASE/UCO export is valid."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.errors import MissingResourceError
from playe_assets.core.values import Verdict
from playe_assets.examination.settings import Settings

if TYPE_CHECKING:
    from playe_assets.examination.stage import Stage

GATE = "case_uco"
_EXPECTED = "the CASE/UCO export is valid"
_MOST = 20
"""Problems that a refusal names; one mistake in a shape is told once a node, thousands of times."""


def check_release(settings: Settings) -> None:
    """That what the release asks for is installed, before any work.

    Raises:
        MissingResourceError: `require_case_uco` is set and the extra `exchange` is not installed.
    """
    from playe_assets.exporters.case_uco_check import NEEDS

    if settings.require_case_uco:
        for module in NEEDS:
            if importlib.util.find_spec(module) is None:
                raise MissingResourceError("release.extra", module=module)


def release_verdicts(stage: Stage, report: Mapping[str, Any], raw: bytes) -> dict[str, list[Verdict]]:
    """Verdicts of the release's own gate by its name, recorded; none where the laboratory does not ask for it.

    Args:
        report: The report that would be issued.
        raw: The bytes that its `report.json` would have.
    """
    if not stage.settings.require_case_uco:
        return {}
    check_release(stage.settings)
    from playe_assets.exporters.case_uco import case_uco_bytes
    from playe_assets.exporters.case_uco_check import ONTOLOGY, check_case_uco
    from playe_assets.exporters.provenance import provenance

    with stage.recorder.record(
        "processing.gate", step=GATE, params={"gate": GATE, "ontology": ONTOLOGY}
    ) as work:
        document = case_uco_bytes(provenance(report, {"report.json": hashlib.sha256(raw).hexdigest()}))
        found = check_case_uco(document)
        verdicts = [
            Verdict(GATE, "integrity", False, None, None, _EXPECTED, f"{one.judge}: {one.problem}", ONTOLOGY)
            for one in found[:_MOST]
        ] or [Verdict(GATE, "integrity", True, None, None, _EXPECTED, "valid", ONTOLOGY)]
        work.checks += [to_plain(v) for v in verdicts]
        work.metrics.update(problems=len(found), bytes=len(document))
    return {GATE: verdicts}
