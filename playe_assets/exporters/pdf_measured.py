"""What a step measured on an exhibit, as the PDF says it; the same words for every step that left it alone."""

from __future__ import annotations

from collections.abc import Mapping

from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import shown

_UNREMARKABLE = {"applied": 1, "tile_halvings": 0, "tiles": 1, "passes": 1, "share_removed": 1}
"""Measured values that say only that nothing special happened; `report.json` has them all."""
_APPLIED = ("applied", "deinterlaced", "frames_moved")
"""0 in any of these: the step left the whole exhibit as it was."""
_OF_APPLYING = {*_APPLIED, "interpolated_lines_share", "correction_px", "dx_px", "dy_px", "rotation_deg"}
"""Their 0 says nothing more than that."""


def _left_alone(values: Mapping[str, float]) -> bool:
    """Whether the step changed nothing: it did not apply, or no frame had a neighbour to be worked with."""
    without = values.get("frames_without_neighbours")
    return any(values.get(k) == 0 for k in _APPLIED) or (bool(without) and without == values.get("frames"))


def measured(values: Mapping[str, float], say: Say) -> str:
    """`name: value` of what is worth saying, as markup; first of all where the step was not applied."""
    alone = _left_alone(values)
    told = [f"<b>{shown(say('not_applied'))}</b>"] if alone else []
    told += [
        f"{shown(say.word('measured', k))}: {shown(say.number(v))}"
        for k, v in sorted(values.items())
        if v != _UNREMARKABLE.get(k) and not (alone and k in _OF_APPLYING and v == 0)
    ]
    return "; ".join(told)
