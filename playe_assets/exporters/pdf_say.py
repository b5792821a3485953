"""Sentences for the PDF: `report.*` keys in one language, and figures as it writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from playe_assets.core.texts import catalogue, reason_text, text

_FACT = re.compile(r"(?<![\w.])(?:[0-9a-f]{64}|-?\d+(?:\.\d+|[/x]\d+)?)(?!\w)")
"""What varies in a gate's phrase: digests, numbers, fractions, sizes."""
_SECONDS = {"shift_s", "clock"}
_FRACTION = re.compile(r"-?\d+/\d+")
_WORD = re.compile(r"[a-z][a-z_]*")


class Say:
    """`Say("ru")("steps.title")` is the Russian sentence of `report.steps.title`."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **facts: Any) -> str:
        return text(f"report.{key}", self.language, **facts)

    def word(self, family: str, value: object) -> str:
        """An enumerated value in words (`report.word.<family>.<value>`), else the value itself."""
        key = f"report.word.{family}.{_slug(str(value))}"
        return text(key, self.language) if key in catalogue() else str(value)

    def gate(self, name: object) -> str:
        """A gate's name in words."""
        return self.word("gate", name)

    def expected(self, expectation: str | None) -> str:
        """What was expected: a column of the metrics table or a gate's sentence, in words."""
        if not expectation:
            return "—"
        return self.other(f"metric.{expectation}", self.word("expectation", expectation))

    def unit(self, unit: object) -> str:
        """A unit as this language writes it; nothing for a bare number (`1`)."""
        return "" if unit in (None, "", "1") else self.word("unit", unit)

    def figure(self, value: str | None) -> str:
        """A value that a gate wrote as text: a number rounded for reading, a phrase in this language."""
        if value is None:
            return "—"
        try:
            return self.number(float(value))
        except ValueError:
            facts = {f"n{i}": found for i, found in enumerate(_FACT.findall(value))}
            key = f"report.word.observed.{_slug(_FACT.sub(' ', value))}"
            return self.other(key, value, **facts)

    def other(self, key: str, fallback: str, **facts: Any) -> str:
        """A sentence of another file of the catalogue (`step.nlm`), or `fallback` where it is not there."""
        return text(key, self.language, **facts) if key in catalogue() else fallback

    def reason(self, reason: Mapping[str, Any] | None, family: str = "reason") -> str:
        """A reason's sentence; empty for none."""
        if reason is None:
            return ""
        facts = self._reasons(reason["facts"])
        if family == "reason":
            return reason_text(reason["code"], self.language, **facts)
        return text(f"{family}.{reason['code']}", self.language, **facts)

    def _reasons(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Facts as people read them: seconds as decimals, why frames were left out in words."""
        told = dict(facts)
        for key in _SECONDS & facts.keys():
            if _FRACTION.fullmatch(str(facts[key])):
                told[key] = self.number(float(Fraction(str(facts[key]))), 6)
        if isinstance(facts.get("refused"), str):
            told["refused"] = _WORD.sub(lambda found: self.word("refused", found[0]), facts["refused"])
        return told

    def number(self, value: object, digits: int = 3) -> str:
        """A figure with at most `digits` decimals and the language's decimal mark; a dash for none."""
        if value is None:
            return "—"
        if isinstance(value, bool):
            return self("yes" if value else "no")
        if not isinstance(value, (int, float)):
            return str(value)
        if isinstance(value, int):
            return str(value)
        shown = f"{value:.{digits}f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else f"{value:.3e}"
        if value != 0 and float(f"{value:.{digits}f}") == 0:
            shown = f"{value:.1e}"
        return shown.replace(".", ",") if self.language == "ru" else shown

    def joined(self, *parts: object) -> str:
        """`A · B`; what is empty is left out, and its dot with it."""
        return " · ".join(str(p) for p in parts if p)

    def facts(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters as sentences take them: figures in this language's form, enumerated values in words."""
        return {
            k: self.word("value", v) if isinstance(v, str) else self.number(v, 6) for k, v in params.items()
        }

    def bounds(self, allowed: str | None) -> str:
        """What a gate allowed: `24 .. -` as `≥ 24`, a dash where it states no bound."""
        if allowed in (None, "", "-"):
            return "—"
        low, mark, high = str(allowed).partition(" .. ")
        if not mark:
            return self.figure(allowed)
        if "-" in (low, high):
            return f"≤ {self.figure(high)}" if low == "-" else f"≥ {self.figure(low)}"
        return f"{self.figure(low)} … {self.figure(high)}"

    def utc(self, stamp: str | None) -> str:
        """`2026-01-05 09:01:02Z`; the fraction of a second stands in report.json."""
        if not stamp:
            return "—"
        return stamp[:19].replace("T", " ") + "Z"

    def size(self, count: int) -> str:
        """Bytes with blanks between thousands, such as `1 234 567 B`."""
        return f"{count:,}".replace(",", "\u00a0") + "\u00a0" + self("unit.bytes")


def _slug(value: str) -> str:
    """A catalogue key of a value that is a phrase: `8-bit units` becomes `8_bit_units`."""
    return re.sub(r"[^a-z0-9_]+", "_", value.lower()).strip("_")
