"""`playe models ready`: what can be done without a decision is done, the rest is commands to paste."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from playe_assets.cli import playe
from playe_assets.core.presets import load_preset
from playe_assets.examination.plan import check, needed
from playe_assets.examination.settings import load_settings


@pytest.fixture
def ready(laboratory):
    """`ready("balanced", "--json")`: exit code and what is printed."""

    def answer(*words, language="en"):
        done = CliRunner().invoke(playe, ["--language", language, "models", "ready", *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout

    return answer


def test_a_preset_without_models_is_ready(ready):
    code, text = ready("forensic_safe")
    assert code == 0
    assert "uses no model" in text


def test_absent_weights_are_one_command_to_paste_and_their_addresses(ready, laboratory):
    wanted = {use.name for use in needed(check(load_preset("presentation"), load_settings()))}
    code, text = ready("presentation")
    assert code == 1
    [line] = [line for line in text.splitlines() if "playe models pull" in line]
    assert wanted <= set(line.split())
    assert "realesr_general_wdn_x4v3" in line, "a file that a variant blends in is asked for too"
    assert "https://" in text
    assert text.splitlines()[-1].strip() == "playe models ready presentation"
    assert "NOT INSTALLED" in text
    assert "НЕ УСТАНОВЛЕНА" in ready("presentation", language="ru")[1]
    assert {e["event"] for e in laboratory.log()} == {"processing.models_readied"}, "it only looked"
    lacking = {c["model"]: c["lacks"] for e in laboratory.log() for c in e["checks"] or ()}
    assert wanted <= lacking.keys()


def test_an_installed_model_is_certified_and_recorded_and_waits_for_its_approval(
    ready, laboratory, shared_data
):
    pytest.importorskip("openvino", reason="the default engine")
    there = shared_data / "weights" / "yunet" / "onnx" / "yunet_s_640_640.onnx"
    assert CliRunner().invoke(playe, ["models", "import", str(there)]).exit_code == 0
    code, text = ready("balanced", "--json")
    told = {m["name"]: m for m in json.loads(text)["models"]}
    assert (code, json.loads(text)["ready"]) == (1, False)
    found = told["yunet_2023mar"]
    assert (found["lacks"], found["next"]) == ("unapproved", "playe models approve yunet_2023mar")
    assert told["dncnn_25"]["lacks"] == "absent"
    ended = {e["event"]: e for e in laboratory.log() if e["status"] == "ok"}
    assert ended["processing.model_certified"]["output_sha256"] == [found["certificate"]]
    assert "custody.model_approved" not in ended

    assert CliRunner().invoke(playe, found["next"].split()[1:]).exit_code == 0
    again = {m["name"]: m for m in json.loads(ready("balanced", "--json")[1])["models"]}["yunet_2023mar"]
    assert (again["lacks"], again["next"], again["certificate"]) == (None, None, found["certificate"])


def test_a_restricted_licence_stands_word_for_word_in_the_command(ready, monkeypatch, laboratory):
    from playe_assets.core.contracts import ModelUse
    from playe_assets.examination import models_ready
    from playe_assets.inference.weights import place
    from playe_assets_tests.inference.sample_cards import DATA, plain_card, write_registry

    write_registry(
        laboratory.settings.own_cards,
        plain_card(name="bound", file="bound.npz", format="data", commercial_use="no", licence="S-Lab 1.0"),
    )
    place(DATA, laboratory.settings.weights, "bound.npz")
    monkeypatch.setattr(models_ready, "needed", lambda _plan: [ModelUse("bound")])
    code, text = ready("balanced")
    assert code == 1
    assert 'playe models approve bound --accept-licence "S-Lab 1.0"' in text
    for words in (
        ["approve", "bound", "--accept-licence", "S-Lab 1.0"],
        ["withdraw", "bound", "--reason", "blurs"],
    ):
        assert CliRunner().invoke(playe, ["models", *words]).exit_code == 0
    assert "blurs. Approve it again only if" in ready("balanced")[1], "a withdrawal is not waved through"


def test_an_engine_that_is_not_there_is_told_and_the_other_models_go_on(ready, monkeypatch, laboratory):
    from playe_assets.core.contracts import ModelUse
    from playe_assets.core.errors import MissingResourceError
    from playe_assets.examination import models_ready

    def absent(_use, _settings):
        raise MissingResourceError("models.library_absent", name="x", library="torch")

    monkeypatch.setattr(models_ready, "needed", lambda _plan: [ModelUse("rlfn_x4"), ModelUse("dncnn_25")])
    monkeypatch.setattr(models_ready, "installed", lambda _card, _folder: laboratory.settings.weights)
    monkeypatch.setattr(models_ready, "certificate_of", absent)
    code, text = ready("balanced")
    assert code == 1
    assert text.count("NOT CERTIFIED") == 2
    assert "pip install torch" in text
    assert text.splitlines()[-2:] == ["Next:", "  playe models ready balanced"], (
        "no command helps before torch"
    )
