"""A preset is checked whole before any work: weights there, classes allowed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from playe_assets.core.errors import IntegrityError, MissingResourceError, PresetError
from playe_assets.core.presets import load_preset
from playe_assets.core.values import AiClass, MediaKind
from playe_assets.enhancers import ENHANCERS
from playe_assets.examination.plan import check, plan
from playe_assets_tests.laboratory import examine, failures


def test_a_preset_whose_weights_are_not_installed_names_them_and_the_command(laboratory):
    with pytest.raises(MissingResourceError) as caught:
        plan("balanced", laboratory.settings)
    assert "yunet_2023mar" in str(caught.value)
    assert "playe models import FILE" in str(caught.value)
    assert "playe models import ФАЙЛ" in caught.value.message("ru")


def test_such_a_preset_is_refused_before_any_work(laboratory, instance, small_case):
    result = examine(instance, "SMALL-1", small_case, tags={"playe/preset": "balanced"})
    assert "playe models import" in failures(result)["ingested_media"]
    assert not laboratory.case("SMALL-1").exists()


def test_the_default_preset_needs_nothing_installed(laboratory):
    assert plan("forensic_safe", laboratory.settings).weights == {}


@pytest.mark.parametrize("ai_class", [AiClass.FIDELITY, AiClass.GENERATIVE])
def test_a_learned_step_is_refused_by_forensic_safe_itself(monkeypatch, ai_class):
    monkeypatch.setattr(ENHANCERS.get("nlm"), "ai_class", ai_class)
    with pytest.raises(PresetError) as caught:
        check(load_preset("forensic_safe"))
    assert caught.value.code == "preset.ai_class"
    assert f"nlm is of AI class '{ai_class.value}', but this preset allows at most 'none'" in str(
        caught.value
    )
    assert caught.value.facts["line"] > 1


def test_a_class_up_to_the_preset_s_bound_is_allowed(monkeypatch):
    monkeypatch.setattr(ENHANCERS.get("nlm"), "ai_class", AiClass.FIDELITY)
    allowed = check(replace(load_preset("forensic_safe"), max_ai_class=AiClass.FIDELITY))
    assert any(s.cls.name == "nlm" for s in allowed.steps[MediaKind.PHOTO])


def test_a_preset_that_changed_during_an_examination_is_refused(examined, monkeypatch):
    from playe_assets.core.values import IngestManifest

    stage = examined.laboratory.stage("MIXED-1")
    (report,) = examined.laboratory.reports("MIXED-1")
    _, opened = [e for e in examined.laboratory.log() if e["event"] == "processing.examination_opened"]
    ingest = stage.manifest(IngestManifest, opened["output_sha256"][0])
    assert ingest.examination_id == report["findings"]["examination_id"]
    assert stage.planned(ingest).preset.name == "forensic_safe"
    other = replace(ingest, preset=replace(ingest.preset, sha256="f" * 64))
    with pytest.raises(IntegrityError) as caught:
        stage.planned(other)
    assert caught.value.code == "preset.changed"


def test_checking_a_preset_loads_no_learned_engine():
    code = (
        "import sys\n"
        "from playe_assets.core.presets import load_preset\n"
        "from playe_assets.examination.plan import check\n"
        "check(load_preset('presentation'))\n"
        "print(sorted({'torch', 'onnxruntime', 'openvino'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
