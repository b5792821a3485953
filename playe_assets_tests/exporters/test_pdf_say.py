"""What gates write as text is read in the report's language."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import playe_assets
from playe_assets.exporters.pdf_say import Say

GATES = Path(playe_assets.__file__).parent / "gates"


def _phrases(name: str) -> set[str]:
    """Every phrase of at least two words that a gate's code holds; what is filled in becomes 7."""
    found = set()
    tree = ast.parse((GATES / f"{name}.py").read_text(encoding="utf-8"))
    written = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    for node in (n for function in written for n in ast.walk(function)):
        if isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "7" for v in node.values]
            found.add("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    docs = {ast.get_docstring(f, clean=False) for f in written}
    whole = {p for p in found - docs if re.fullmatch(r"[a-z7][\w,' /]+ [\w,' ]+", p)}
    return {p for p in whole if not any(p != q and p in q for q in found - docs)}


@pytest.mark.parametrize("gate", ["derivation", "timing"])
def test_every_phrase_of_the_derivation_and_timing_gates_is_said_in_russian(gate: str) -> None:
    say, phrases = Say("ru"), _phrases(gate)
    assert len(phrases) >= 5
    for phrase in phrases:
        said = {say.figure(phrase), say.expected(phrase)} - {phrase}
        assert said, phrase
        assert not re.search("[a-z{]", said.pop()), phrase


def test_figures_within_a_phrase_are_carried_over() -> None:
    say = Say("ru")
    assert say.figure("10 decoded, 9 out, 8 in the master") == (
        "декодировано 10, выдано 9, в записи без потерь 8"
    )
    assert say.figure("time base 1/1000 instead of 1/12800") == "единица времени 1/1000 вместо 1/12800"
    assert say.figure("frame 3 carries time stamp -2, which the source does not have there").startswith(
        "у кадра 3 временная метка -2"
    )
    digest = "ab" * 32
    assert digest in say.figure(f"derived from {digest}, which is no exhibit of the case")
    assert say.figure("2 boxes outside 96x64 px") == "отметок вне кадра 96x64 пикс.: 2"


def test_what_is_no_phrase_of_a_gate_is_shown_as_it_is() -> None:
    for language in ("en", "ru"):
        assert Say(language).figure("ab" * 32) == "ab" * 32
        assert Say(language).figure("- .. 24") == "- .. 24"
    assert Say("ru").figure("24.50") == "24,5"
    assert Say("en").figure("10 decoded, 9 out, 8 in the master") == "10 decoded, 9 out, 8 in the master"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("24 .. -", "≥ 24"),
        ("- .. 0.5", "≤ 0,5"),
        ("1 .. 2.5", "1 … 2,5"),
        ("-", "—"),
        (None, "—"),
        ("7", "7"),
    ],
)
def test_bounds_are_written_as_a_reader_expects_them(written: str | None, said: str) -> None:
    assert Say("ru").bounds(written) == said


def test_what_is_empty_leaves_no_dot_behind() -> None:
    assert Say("en").joined("CASE-R01", "") == "CASE-R01"
    assert Say("en").joined("CASE-R01", "Theft") == "CASE-R01 · Theft"


def test_sentences_of_steps_take_figures_in_the_language_of_the_report() -> None:
    told = Say("ru").facts({"strength": 0.8, "scale": 2, "model": "rlfn_x4", "self_ensemble": "mean"})
    assert told == {
        "strength": "0,8", "scale": "2", "model": "rlfn_x4", "self_ensemble": "среднее восьми ответов",
    }  # fmt: skip
