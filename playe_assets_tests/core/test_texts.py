"""The catalogue holds every sentence that the code asks for, in both languages, and no other."""

from __future__ import annotations

import ast
import inspect
import re
import string
from collections.abc import Iterator
from pathlib import Path

import playe_assets
from playe_assets.core import errors
from playe_assets.core.errors import PlayeError, PresetError
from playe_assets.core.texts import LANGUAGES, catalogue, reason_text, text

ROOT = Path(playe_assets.__file__).parent
ERRORS = {n for n, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, PlayeError)} | {
    "ReadError"
}
SAYS = {
    "Reason": "reason.",
    "Difference": "verify.",
    "AuditFinding": "audit.",
    "said": "cli.",
    "_said": "cli.",
}
UNUSED = {
    "error.run_failed": "code that the failure sensor writes; it is said by the case page",
    "error.unexpected": "code of `reason_of` for errors that are not ours",
}


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    """(where, key of the catalogue, call) for every sentence that is asked for by a literal code."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            first = node.args[0]
            if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                continue
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            if name in ERRORS or (name == "error" and path.name == "yamlfile.py"):
                yield where, f"error.{first.value}", node
            elif name in SAYS and "exporters" not in path.parts:
                yield where, SAYS[name] + first.value, node


CALLS = list(_calls())


def _placeholders(sentence: str) -> set[str]:
    return {name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_the_search_finds_the_calls_that_it_is_for():
    keys = {key for _, key, _ in CALLS}
    assert {"error.preset.unknown_key", "error.yaml.key_twice", "reason.empty", "cli.issued",
            "verify.object_changed"} <= keys  # fmt: skip
    assert len(CALLS) > 100


def test_every_sentence_that_the_code_asks_for_is_in_the_catalogue():
    there = set(catalogue())
    # A reason may borrow the sentence of the error that caused it (`texts.reason_text`).
    there |= {"reason." + key.removeprefix("error.") for key in there if key.startswith("error.")}
    assert [f"{where} asks for {key}" for where, key, _ in CALLS if key not in there] == []


def test_every_sentence_is_there_in_both_languages_with_the_same_placeholders():
    for key, entry in catalogue().items():
        assert set(entry) == set(LANGUAGES), key
        assert entry["en"].strip(), key
        assert entry["ru"].strip(), key
        if not key.startswith(
            ("report.", "step.", "metric.", "detector.")
        ):  # those may count plurals in one language
            assert _placeholders(entry["en"]) == _placeholders(entry["ru"]), key


def test_russian_sentences_of_messages_are_written_in_cyrillic():
    for key, entry in catalogue().items():
        words = sum(map(str.isalpha, re.sub(r"\{.*?\}", "", entry["en"])))
        if key.startswith(("error.", "reason.", "cli.", "verify.", "audit.")) and words > 12:
            cyrillic = re.findall("[а-яё]", entry["ru"].lower())
            assert len(cyrillic) > 5, f"{key}: {entry['ru']}"


def test_every_call_gives_the_facts_that_its_sentence_names():
    for where, key, call in CALLS:
        if any(k.arg is None for k in call.keywords) or key not in catalogue():
            continue  # facts are passed on as a mapping
        given = {k.arg for k in call.keywords}
        if key.startswith(("reason.", "verify.", "audit.")):
            if len(call.args) < 2 or not isinstance(call.args[1], ast.Dict):
                continue
            if any(k is None for k in call.args[1].keys):
                continue
            given = {k.value for k in call.args[1].keys if isinstance(k, ast.Constant)}
        lacking = _placeholders(catalogue()[key]["en"]) - given
        assert not lacking, f"{where}: {key} is not given {lacking}"


def test_no_message_lies_unused_in_the_catalogue():
    sources = "\n".join(p.read_text(encoding="utf-8") for p in sorted(ROOT.rglob("*.py")))
    for key in catalogue():
        family, _, rest = key.partition(".")
        if family not in ("error", "reason", "cli", "verify", "audit") or key in UNUSED:
            continue
        spoken = f'"{key}"' in sources or f'"{rest}"' in sources or f'"{rest.rpartition(".")[2]}"' in sources
        computed = any(f'f"{rest[:i]}' + "{" in sources for i in range(4, len(rest)))
        computed |= any("}" + f'{rest[i:]}"' in sources for i in range(1, len(rest) - 4))
        assert spoken or computed, f"nothing says {key}"


def test_a_missing_sentence_or_fact_never_hides_the_error_that_it_reports():
    assert text("error.no.such", "en", value=3) == "error.no.such {'value': 3}"
    assert "{known}" in text("error.preset.unknown", "en", name="x")
    assert "'x'" in text("error.preset.unknown", "en", name="x")


def test_an_unknown_language_falls_back_to_english():
    assert text("cli.yes", "fr") == "yes"


def test_a_reason_without_a_sentence_of_its_own_is_said_by_the_error_of_the_same_code():
    said = reason_text("media.no_frames", "ru", file="a.mp4")
    assert said == catalogue()["error.media.no_frames"]["ru"].format(file="a.mp4")
    assert reason_text("fifo") == catalogue()["reason.fifo"]["en"]


def test_errors_travel_between_processes_with_code_and_facts():
    import pickle

    problem = pickle.loads(pickle.dumps(PresetError("preset.unknown", name="x", known="a")))
    assert isinstance(problem, PresetError)
    assert str(problem) == "There is no preset 'x'. Known: a."
    assert problem.message("ru") == "Пресет «x» не существует. Известны: a."


def test_the_tree_in_the_docstring_is_the_tree_of_classes():
    drawn = {word for word in (errors.__doc__ or "").replace("─", " ").split() if word.endswith("Error")}
    classes = {n for n, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, PlayeError)}
    assert drawn == classes


def test_only_transient_errors_may_be_tried_again():
    transient = {c.__name__ for c in _tree(PlayeError) if not c.permanent}
    assert transient == {"TransientError", "LockTimeoutError", "CaseBusyError"}


def _tree(cls: type[PlayeError]) -> Iterator[type[PlayeError]]:
    if cls.__module__ == errors.__name__:
        yield cls
    for below in cls.__subclasses__():
        yield from _tree(below)
