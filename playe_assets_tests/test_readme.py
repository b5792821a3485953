"""The README cannot drift: its commands exist, its folders are there, its example works, its help is the real one."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from playe_assets.cli import playe
from playe_assets.core.errors import PresetError
from playe_assets.core.presets import FOLDER, load_preset, parse_preset, preset_names
from playe_assets.core.values import MediaKind
from playe_assets.examination import plan
from playe_assets.exporters.report_schema import validate_report
from playe_assets_tests.plugins import FACTS, scene

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUSSIAN = (ROOT / "docs" / "README.ru.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "models-data" / "README.md"])


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def _commands(text: str) -> list[list[str]]:
    lines = [line for block in _blocks(text, "sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def test_every_make_target_that_the_readme_names_exists():
    named = {w[1] for w in _commands(README + RUSSIAN) if w[0] == "make"}
    assert {"demo", "test", "up"} <= named
    for target in sorted(named):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"make {target}: {done.stderr}"


def test_every_playe_command_and_option_that_the_readme_names_exists():
    named = [w[1:] for w in _commands(README + RUSSIAN) if w[0] == "playe"]
    assert len(named) >= 7
    for words in named:
        command: click.Command = playe
        rest = list(words)
        while isinstance(command, click.Group):
            while rest[0].startswith("--"):
                assert rest[0] in {o for p in command.params for o in p.opts}, f"playe {' '.join(words)}"
                del rest[:2]
            name = rest.pop(0)
            found = command.get_command(click.Context(command), name)
            assert found is not None, f"playe {' '.join(words)}: there is no command {name}"
            command = found
        options = {o for p in command.params for o in p.opts}
        assert {w for w in rest if w.startswith("--")} <= options, f"playe {' '.join(words)}"


@pytest.mark.parametrize("command", re.findall(r"<!-- help: (.+?) -->", README))
def test_the_help_in_the_readme_is_the_real_one(command):
    shown = re.search(rf"<!-- help: {command} -->\n```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    words = [*command.split()[1:], "--help"]
    real = CliRunner().invoke(playe, words, prog_name="playe", terminal_width=80)
    assert shown.group(1) == real.output


def test_the_folder_map_names_what_is_there_and_leaves_no_package_out():
    named = set(re.findall(r"^\| `([\w/-]+/)` \|", README, re.MULTILINE))
    assert [n for n in sorted(named) if not (ROOT / n).is_dir()] == []
    packages = {f"playe_assets/{p.name}/" for p in (ROOT / "playe_assets").iterdir() if p.is_dir()}
    assert {p for p in packages if "__pycache__" not in p} <= named


def test_every_link_in_the_documents_leads_somewhere():
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http") and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_the_presets_table_names_every_preset_with_its_class():
    rows = dict(re.findall(r"^\| `(\w+)`[^|]*\| `(\w+)` \|", README, re.MULTILINE))
    assert rows == {name: load_preset(name).max_ai_class.value for name in preset_names()}


def test_the_case_file_in_the_readme_is_accepted():
    from playe_assets.examination.case_file import parse_case_file

    (text,) = [b for b in _blocks(README, "yaml") if b.startswith("case:")]
    given = parse_case_file(text)
    assert (given.case_id, given.preset) == ("2026-0417", "forensic_safe")


def test_the_example_enhancer_works_from_its_file_its_line_and_its_preset_step(tmp_path, monkeypatch):
    (source,) = [b for b in _blocks(README, "python") if "class Gamma" in b]
    (line,) = [b for b in _blocks(README, "python") if "enhancers.gamma:" in b]
    (step,) = [b for b in _blocks(README, "yaml") if "use: gamma" in b]
    (tmp_path / "readme_gamma.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    name, target = re.fullmatch(r'\s*"(\w+)": "([\w.]+:\w+)",\s*', line).groups()
    assert target == "playe_assets.enhancers.gamma:Gamma"
    lines = dict(plan.ENHANCERS._lines)
    monkeypatch.setattr(plan.ENHANCERS, "_lines", lines)
    plan.ENHANCERS.add(name, "readme_gamma:Gamma")

    recipe = (FOLDER / "forensic_safe.yaml").read_text(encoding="utf-8")
    steps = recipe.replace("photo:\n  - use: orient\n", f"photo:\n  - use: orient\n{step}", 1)
    made = plan.check(parse_preset(steps.encode(), "readme.yaml"))
    planned = made.steps[MediaKind.PHOTO][1]
    assert planned.plain == {"gamma": 1.4}
    for dtype in (np.uint8, np.uint16):
        pixels = scene(20, 30, dtype=dtype)
        before = pixels.copy()
        worker = planned.cls(planned.params, FACTS)
        after = worker.frame(pixels)
        assert (after.shape, after.dtype) == (pixels.shape, pixels.dtype)
        np.testing.assert_array_equal(pixels, before)
        np.testing.assert_array_equal(after, worker.frame(pixels))
        inside = (pixels > 0) & (pixels < np.iinfo(dtype).max)
        assert (after[inside] >= pixels[inside]).all()
        assert after[inside].mean() > pixels[inside].mean()
    with pytest.raises(PresetError, match=r"0\.2 to 5"):
        plan.check(parse_preset(steps.replace("gamma: 1.4", "gamma: 9").encode(), "readme.yaml"))
    sys.modules.pop("readme_gamma", None)


def test_the_model_card_keys_that_the_readme_lists_are_those_of_the_registry():
    told = re.search(r"keep it as a file of your own: (.+?)\. These are facts", README, re.DOTALL)
    assert told is not None
    keys = {k.strip().strip("`").replace(" ", "_") for k in re.sub(r"\s+", " ", told.group(1)).split(",")}
    cards = yaml.safe_load((ROOT / "models-data" / "registry.yaml").read_text(encoding="utf-8"))["models"]
    assert all(set(card) - {"hyper", "mirrors", "extra", "notes"} == keys for card in cards)


def test_the_models_that_the_readme_names_have_cards():
    cards = yaml.safe_load((ROOT / "models-data" / "registry.yaml").read_text(encoding="utf-8"))["models"]
    named = set(re.findall(r"playe models (?:show|withdraw) ([a-z0-9_]+)", README))
    assert named
    assert named <= {card["name"] for card in cards}


def test_the_example_report_holds_the_schema_its_digest_and_no_place_of_a_machine(monkeypatch):
    text = (ROOT / "docs" / "examples" / "report-example.json").read_text(encoding="utf-8")
    report = json.loads(text)
    validate_report(report)
    assert report["kind"] == "report"
    blocks = _blocks((ROOT / "docs" / "report-schema.md").read_text(encoding="utf-8"), "python")
    assert len(blocks) == 2
    monkeypatch.chdir(ROOT)
    for code in blocks:
        exec(compile(code, "report-schema.md", "exec"), {})
    assert not re.search(r'"/(?:home|root|work|tmp|Users)/', text)


def test_the_figures_that_the_performance_page_names_can_be_measured():
    names = importlib.import_module("benchmarks.__main__").NAMES
    for name in names:
        assert callable(importlib.import_module(f"benchmarks.{name}").run)
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert set(re.findall(r"python -m benchmarks ([a-z_]+)", page + README)) <= set(names)
