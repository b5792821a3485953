"""The first page: who, what, when, and what came of it at a glance (section 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_page import heading
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import para


def front(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Cover block, summary and section 1."""
    return [para(say("title"), "title"), *heading(say("s1"))]
