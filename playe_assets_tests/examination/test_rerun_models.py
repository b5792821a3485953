"""Reruns that need models: what is missing is named with its hash; real weights give the report's pictures again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest

from playe_assets.core.canonical import canonical_json
from playe_assets.core.errors import CaseFileError, GovernanceError
from playe_assets.custody.log import CustodyLog
from playe_assets.examination.plan import plan
from playe_assets.examination.rerun_models import settings_of_rerun
from playe_assets.examination.settings import load_settings
from playe_assets.inference.cards import model_cards
from playe_assets_tests.examination.test_learned_case import shrunk
from playe_assets_tests.laboratory import examine, failures, grant, opened
from playe_assets_tests.reports import again, altered, levels, report_path, scrambled, stranger


@pytest.fixture(scope="module")
def report(examined):
    """The mixed case's report, which names no model."""
    return json.loads(report_path(examined.laboratory, examined.case_id).read_bytes())


def test_models_that_are_missing_are_named_with_card_hash_and_place(report, examined, tmp_path):
    cards = model_cards(stranger(tmp_path).registry)
    card = next(c for c in cards.values() if c.sha256)
    other = next(c for c in cards.values() if c.sha256 and c.name != card.name)

    def change(made):
        made["findings"]["inputs"]["weights"] = {
            card.name: card.sha256, other.name: "7" * 64, "a-model-of-their-own": "8" * 64}  # fmt: skip

    found = again(altered(report, change), stranger(tmp_path), examined.laboratory.root / "evidence",
                  tmp_path / "work", weights=tmp_path / "weights")  # fmt: skip
    told = {m.name: (m.sha256, m.why.said("en")) for m in found.lacking}
    assert told[card.name][0] == card.sha256
    assert card.file in told[card.name][1] and str(tmp_path / "weights") in told[card.name][1]
    assert told[other.name] == ("7" * 64, told[other.name][1]) and str(other.sha256) in told[other.name][1]
    assert told["a-model-of-their-own"][0] == "8" * 64 and "no card" in told["a-model-of-their-own"][1]
    assert found.stopped is not None and card.name in found.stopped.said("ru") and not found.holds
    assert found.verdicts == []


def test_only_a_rerun_works_without_approvals_and_no_file_or_variable_can_ask_for_it(
    report, tmp_path, monkeypatch
):
    made = settings_of_rerun(stranger(tmp_path), tmp_path / "work", report, 2)
    assert made.models_without_approval_for_the_rerun_of == report["report_id"]
    assert (made.data_root, made.threads, made.audit, made.presets) == (
        tmp_path / "work", 2, "full", tmp_path / "work" / "presets")  # fmt: skip
    (tmp_path / "stranger").mkdir()
    for key in ("models_without_approval_for_the_rerun_of", "presets"):
        (tmp_path / "stranger" / "laboratory.yaml").write_text(f"{key}: x\n", encoding="utf-8")
        with pytest.raises(CaseFileError, match=key):
            stranger(tmp_path)
    (tmp_path / "stranger" / "laboratory.yaml").unlink()
    monkeypatch.setenv("PLAYE_MODELS_WITHOUT_APPROVAL_FOR_THE_RERUN_OF", "R")
    assert load_settings({"data_root": tmp_path}).models_without_approval_for_the_rerun_of == ""


@pytest.mark.slow
@pytest.mark.shared_data
def test_learned_steps_come_out_equal_at_a_strangers_who_has_the_weights_and_no_approval(
    tmp_path: Path, shared_data: Path
):
    for package in ("onnxruntime", "openvino", "torch"):
        pytest.importorskip(package, reason="learned models need the extras `cpu` and `models`")
    folder = tmp_path / "evidence"
    folder.mkdir()
    shutil.copy(shared_data / "sr_bench/Set5/image_SRF_4/img_003_SRF_4_LR.png", folder / "a_small.png")
    shutil.copy(shared_data / "media/lowlight/low_demo.jpg", folder / "b_dark.jpg")
    shrunk(folder / "b_dark.jpg", 120)
    (folder / "case.yaml").write_text("case: LEARNED-2\npreset: balanced\n", encoding="utf-8")
    with opened(tmp_path / "lab") as laboratory, dg.DagsterInstance.ephemeral() as instance:
        grant(laboratory.settings, "balanced", shared_data)
        result = examine(instance, "LEARNED-2", folder)
        assert result.success, failures(result)
        report = json.loads(report_path(laboratory, "LEARNED-2").read_bytes())
    assert report["findings"]["inputs"]["weights"]
    with pytest.raises(GovernanceError):  # a case run of the stranger's own would still be refused
        (tmp_path / "stranger").mkdir()
        (tmp_path / "stranger" / "weights").symlink_to(laboratory.settings.weights)
        plan("balanced", stranger(tmp_path))
    found = again(report, stranger(tmp_path / "other"), scrambled(folder, tmp_path / "originals"), tmp_path / "work",
                  weights=shared_data / "weights")  # fmt: skip
    assert found.stopped is None, found.stopped.said("en")
    assert set(levels(found).values()) == {"L0"} and found.holds, found.claims
    log = CustodyLog(tmp_path / "work" / "audit" / "events.jsonl")
    steps = [e for _, e, _ in log.read() if e and e["event"] == "processing.step" and e["model"]]
    assert steps and all(b"not_asked_in_a_rerun" in canonical_json(e["model"]) for e in steps)
    assert not [e for _, e, _ in log.read() if e and e["event"] == "custody.model_approved"]
