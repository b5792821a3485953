"""Settings: explicit values before the environment, before laboratory.yaml, before the defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from playe_assets.core.errors import CaseFileError
from playe_assets.examination.settings import load_settings


def _written(laboratory, text):
    root = laboratory.settings.data_root
    root.mkdir(parents=True, exist_ok=True)
    (root / "laboratory.yaml").write_text(text, encoding="utf-8")


def test_the_defaults_are_full_audit_english_and_no_pixels_in_dagster(laboratory):
    found = load_settings()
    assert (found.audit, found.language, found.threads, found.inline_previews) == ("full", "en", 0, False)
    assert (found.quiet_s, found.settle_s) == (2.0, 30.0)
    assert found.inbox == found.data_root / "inbox"
    assert found.log_path == found.data_root / "audit" / "events.jsonl"


def test_each_source_gives_way_to_the_one_before_it(laboratory, monkeypatch):
    _written(laboratory, "language: ru\nquiet_s: 1\nthreads: 3\nlaboratory: Lab No. 5\n")
    assert (load_settings().language, load_settings().quiet_s) == ("ru", 1.0)
    monkeypatch.setenv("PLAYE_LANGUAGE", "en")
    monkeypatch.setenv("PLAYE_THREADS", "2")
    found = load_settings()
    assert (found.language, found.threads, found.laboratory) == ("en", 2, "Lab No. 5")
    assert load_settings({"language": "ru", "threads": 1}).language == "ru"
    assert load_settings({"language": "ru", "threads": 1}).threads == 1
    assert load_settings({"language": "", "threads": None}).language == "en", "empty says nothing"


def test_false_and_zero_given_explicitly_are_values(laboratory, monkeypatch):
    monkeypatch.setenv("PLAYE_INLINE_PREVIEWS", "yes")
    monkeypatch.setenv("PLAYE_THREADS", "4")
    assert load_settings().inline_previews is True
    found = load_settings({"inline_previews": False, "threads": 0})
    assert (found.inline_previews, found.threads) == (False, 0)


def test_paths_become_absolute_and_the_inbox_may_lie_elsewhere(laboratory, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLAYE_DATA_ROOT", "there")
    monkeypatch.setenv("PLAYE_INBOX", "box")
    found = load_settings()
    assert (found.data_root, found.inbox) == (tmp_path / "there", tmp_path / "box")
    assert found.rejected == tmp_path / "box" / "rejected"
    assert found.cases == Path(tmp_path / "there" / "cases")


def test_an_unknown_key_of_laboratory_yaml_is_refused_with_its_line(laboratory):
    _written(laboratory, "language: ru\nlanguge: en\n")
    with pytest.raises(CaseFileError) as caught:
        load_settings()
    assert "laboratory.yaml, line 2" in str(caught.value)
    assert "languge" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [("audit", "some", "off | basic | full"), ("language", "de", "en | ru"), ("threads", "many", ""),
     ("threads", -1, ""), ("quiet_s", "soon", ""), ("settle_s", -1, ""),
     ("inline_previews", "perhaps", "true | false")],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_with_name_value_and_range(laboratory, name, value, allowed):
    with pytest.raises(CaseFileError) as caught:
        load_settings({name: value})
    assert caught.value.code == "settings.value"
    assert caught.value.facts["name"] == name
    assert repr(value) in str(caught.value)
    assert allowed in str(caught.value)
    assert "settings.value" not in caught.value.message("ru")
