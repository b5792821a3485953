"""`balanced` on real photographs with the small real weights, and every way in which a case run refuses a model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from playe_assets.core.errors import CommandError, GovernanceError, IntegrityError, MissingResourceError
from playe_assets.core.values import IngestManifest
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.record import Operator, Recorder
from playe_assets.examination import engine, governance
from playe_assets.examination.plan import plan
from playe_assets_tests.laboratory import TestLaboratory, examine, failures, grant, opened

pytest.importorskip("onnxruntime", reason="learned models run on the extra `cpu`")
pytest.importorskip("openvino", reason="learned models run on the extra `cpu`")
pytest.importorskip("torch", reason="building and certifying need the extra `models`")


@dataclass(frozen=True)
class Learned:
    """A case that `balanced` examined."""

    laboratory: TestLaboratory
    models: list[str]
    report: dict[str, Any]
    result: dg.ExecuteInProcessResult

    def steps(self, exhibit: str) -> dict[str, dict[str, Any]]:
        """The exhibit's steps of the findings, by name."""
        (entry,) = [e for e in self.report["findings"]["steps"] if e["exhibit"] == exhibit]
        return {s["use"]: s for s in entry["steps"]}


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Learned]:
    """Three photographs: small and noiseless, dark, and one with a face; RLFN, DnCNN, IAT and YuNet approved."""
    root = tmp_path_factory.mktemp("learned")
    folder = root / "evidence"
    folder.mkdir()
    for source, name in (
        ("sr_bench/Set5/image_SRF_4/img_003_SRF_4_LR.png", "a_small.png"),
        ("media/lowlight/low_demo.jpg", "b_dark.jpg"),
        ("media/faces_officials/examples/obama-240p.jpg", "c_face.jpg"),
    ):
        if not (shared_data / source).is_file():
            pytest.skip(f"{source} is not in the laboratory's test media")
        shutil.copy(shared_data / source, folder / name)
    shrunk(folder / "b_dark.jpg", 160)
    shrunk(folder / "c_face.jpg", 240)
    (folder / "case.yaml").write_text("case: LEARNED-1\npreset: balanced\n", encoding="utf-8")
    with opened(root / "laboratory") as laboratory, dg.DagsterInstance.ephemeral() as instance:
        models = grant(laboratory.settings, "balanced", shared_data)
        result = examine(instance, "LEARNED-1", folder)
        assert result.success, failures(result)
        yield Learned(laboratory, models, laboratory.reports("LEARNED-1")[-1], result)


def shrunk(path: Path, long_side: int) -> None:
    """The picture in the file, made smaller: a second less a test."""
    from PIL import Image

    with Image.open(path) as held:
        small = held.convert("RGB")
        small.thumbnail((long_side, long_side), Image.Resampling.BOX)
    small.save(path, quality=95)


def test_each_photograph_gets_the_learned_steps_that_are_meant_for_it(learned):
    applied = {
        number: {n for n, s in learned.steps(number).items() if s["measured"].get("applied") == 1.0}
        for number in ("E001", "E002", "E003")
    }
    assert "super_resolution" in applied["E001"]
    assert "low_light" not in applied["E001"]
    assert "low_light" in applied["E002"]


def test_a_derivative_is_labelled_fidelity_and_a_step_that_did_not_apply_is_not(learned):
    derivatives = {d["exhibit"]: d for d in learned.report["findings"]["derivatives"]}
    assert {d["ai_class"] for d in derivatives.values()} == {"fidelity"}
    low = learned.steps("E001")["low_light"]
    assert (low["measured"]["applied"], low["ai_class"]) == (0.0, "none")
    lines = [e for e in learned.laboratory.log("LEARNED-1") if e["exhibit"] == "E001" and e["status"] == "ok"]
    said = {e["step"].partition(" ")[2]: e["ai_class"] for e in lines if e["event"] == "processing.step"}
    assert (said["low_light"], said["super_resolution"]) == ("none", "fidelity")


def test_a_face_that_a_learned_step_touched_is_withheld_where_no_embedder_can_judge_it(learned):
    stated = learned.report["sections"]["ai_statement"]["items"]
    withheld = {d["exhibit"] for d in stated if d["withheld"]}
    assert withheld == {"E003"}


def test_the_maps_of_agreement_and_uncertainty_stand_beside_the_derivative(learned):
    roles = {p["role"] for p in learned.report["sections"]["pictures"]["items"] if p["exhibit"] == "E001"}
    assert {"before", "after", "difference", "consistency", "uncertainty"} <= roles


def test_the_record_of_a_learned_step_names_model_engine_precision_tiling_and_certificate(learned):
    (line,) = [
        e
        for e in learned.laboratory.log("LEARNED-1")
        if e["exhibit"] == "E001" and (e["step"] or "").endswith("super_resolution") and e["status"] == "ok"
    ]
    model = line["model"]["rlfn_x4"]
    assert model["weights_sha256"] == learned.steps("E001")["super_resolution"]["weights"]["rlfn_x4"]
    assert model["approval"]["state"] == "approved"
    assert model["approval"]["by"] == "administrator"
    assert line["runtime"]["name"] == "openvino"
    assert line["runtime"]["provider"] == "cpu"
    assert line["runtime"]["options"]["INFERENCE_PRECISION_HINT"] == "f32"
    assert line["precision"] == "fp32"
    assert line["tiling"]["rlfn_x4"]["mode"] == "overlap"
    (check,) = [c for c in line["checks"] if c["check"] == "certificate"]
    folder = learned.laboratory.settings.engines / "certificates"
    assert (folder / f"{check['sha256']}.json").is_file()


def test_the_materialization_names_the_models_and_the_engine(learned):
    (made,) = [
        e.step_materialization_data.materialization.metadata
        for e in learned.result.get_asset_materialization_events()
        if e.asset_key and e.asset_key.to_user_string() == "enhanced_frames"
    ]
    assert (
        f"rlfn_x4 {learned.steps('E001')['super_resolution']['weights']['rlfn_x4']}" in made["models"].value
    )
    assert "yunet" not in made["models"].value  # it finds and changes nothing
    assert made["engine"].value == "openvino/cpu/cpu/fp32"


def test_withdrawing_a_model_lists_the_cases_that_used_its_bytes_and_stops_the_next_case(learned, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(learned.laboratory.settings.data_root, copy)
    settings = TestLaboratory(tmp_path).settings
    recorder = Recorder(CustodyLog(settings.log_path), request_id="t", case_id=None,
                        operator=Operator("chief", "administrator", "os-user"))  # fmt: skip
    assert governance.withdraw("rlfn_x4", settings, recorder, "faults seen") == ["LEARNED-1"]
    with pytest.raises(GovernanceError, match=r"rlfn_x4.*withdrawn"):
        plan("balanced", settings)


def test_a_model_that_is_installed_and_not_approved_is_refused_with_the_command(laboratory, learned):
    shutil.copytree(learned.laboratory.settings.weights, laboratory.settings.weights)
    with pytest.raises(GovernanceError, match="playe models approve"):
        plan("balanced", laboratory.settings)


def test_an_engine_without_a_certificate_on_this_device_is_refused_with_the_command(learned, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(learned.laboratory.settings.data_root, copy)
    shutil.rmtree(copy / "engines" / "certificates")
    settings = TestLaboratory(tmp_path).settings
    with pytest.raises(GovernanceError, match="playe models certify"):
        plan("balanced", settings)


def test_another_runtime_needs_a_certificate_of_its_own(learned, monkeypatch):
    monkeypatch.setenv("PLAYE_RUNTIME", "onnxruntime")
    with pytest.raises(GovernanceError, match="onnxruntime"):
        plan("balanced", learned.laboratory.settings)


def test_an_engine_that_is_not_there_is_an_error_and_never_another_engine(learned, monkeypatch):
    monkeypatch.setenv("PLAYE_DEVICE", "cuda:0")
    with pytest.raises(CommandError, match="openvino has no provider 'cuda'"):
        plan("balanced", learned.laboratory.settings)
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        monkeypatch.setenv("PLAYE_RUNTIME", "onnxruntime")
        with pytest.raises(MissingResourceError, match=r"(?i)cuda"):
            plan("balanced", learned.laboratory.settings)


def test_a_case_run_on_the_processor_imports_no_torch(learned):
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['spandrel'] = None\n"
        "import numpy as np\n"
        "from playe_assets.examination.settings import load_settings\n"
        "from playe_assets.examination.plan import plan\n"
        "from playe_assets.core.contracts import ModelUse\n"
        "settings = load_settings()\n"
        "made = plan('balanced', settings)\n"
        "model = made.load((ModelUse('rlfn_x4'),), settings)['rlfn_x4']\n"
        "print(model.picture(np.zeros((24, 32, 3), np.uint8)).shape)\n"
    )
    place = {**os.environ, "PLAYE_DATA_ROOT": str(learned.laboratory.settings.data_root)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(96, 128, 3)"


def test_a_second_case_in_the_same_process_reads_no_weights_again(learned, monkeypatch):
    settings = learned.laboratory.settings
    made = plan("balanced", settings)
    made.load(tuple(p.use for p in made.models.values()), settings)

    def refuse(*_args: object) -> bytes:
        raise AssertionError("a weight file was read again")

    monkeypatch.setattr("playe_assets.inference.weights.read_weights", refuse)
    again = plan("balanced", settings)
    assert set(again.load(tuple(p.use for p in again.models.values()), settings)) == set(learned.models)


def test_a_weight_file_that_changed_meanwhile_is_read_and_refused(learned, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(learned.laboratory.settings.data_root, copy)
    settings = TestLaboratory(tmp_path).settings
    plan("balanced", settings)
    path = settings.weights / engine.cards_of(settings)["rlfn_x4"].file
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    time.sleep(0.01)
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="rlfn_x4"):
        plan("balanced", settings)


def test_a_stage_refuses_to_go_on_with_another_engine_than_the_examination_began_with(learned):
    from dataclasses import replace

    stage = learned.laboratory.stage("LEARNED-1")
    ingest = ingest_of(learned)
    assert stage.planned(ingest).engine(stage.settings)["runtime"] == "openvino"
    other = {**ingest.inputs["runtime"], "engine": {**ingest.inputs["runtime"]["engine"], "version": "0.0"}}
    with pytest.raises(IntegrityError, match=r"0\.0"):
        stage.planned(replace(ingest, inputs={**ingest.inputs, "runtime": other}))
    with pytest.raises(IntegrityError, match="LEARNED-1"):
        stage.planned(replace(ingest, inputs={**ingest.inputs, "weights": {}}))


def test_a_card_whose_facts_changed_is_read_anew_and_makes_another_examination(learned, monkeypatch):
    from dataclasses import replace

    stage = learned.laboratory.stage("LEARNED-1")
    before = plan("balanced", stage.settings).engine(stage.settings)
    cards = engine.cards_of(stage.settings)
    changed = replace(cards["rlfn_x4"], hyper={**cards["rlfn_x4"].hyper, "low_pass_px": 8})
    monkeypatch.setattr(engine, "cards_of", lambda _settings: {**cards, "rlfn_x4": changed})
    monkeypatch.setattr(governance, "_approval", lambda _card, state: state)
    made = plan("balanced", stage.settings)
    assert made.engine(stage.settings) != before
    (use,) = [p.use for p in made.models.values() if p.card.name == "rlfn_x4"]
    assert made.load((use,), stage.settings)["rlfn_x4"].facts()["tiling"]["low_pass_px"] == 8
    with pytest.raises(IntegrityError, match="LEARNED-1"):
        stage.planned(ingest_of(learned))


def test_the_records_of_a_learned_case_leave_no_field_out_and_name_models_engine_and_tiles(learned):
    from playe_assets.custody.fields import SINGLE, left_out

    log = [e for e in learned.laboratory.log() if e["event"] not in SINGLE]
    assert {(e["event"], e["status"], field) for e in log for field in left_out(e)} == set()
    steps = [e for e in log if e["event"] == "processing.step" and e["status"] == "ok" and e["model"]]
    assert len(steps) >= 6
    for step in steps:
        assert {"name", "version", "weights_sha256", "licence", "approval"} <= set(
            next(iter(step["model"].values()))
        )
        assert (step["precision"], step["runtime"]["name"]) == ("fp32", "openvino")
        assert step["tiling"]
        assert step["checks"][0]["check"] == "certificate"


def test_a_learned_step_that_fails_names_its_model_and_engine_all_the_same(learned, monkeypatch):
    from playe_assets.core.values import MediaKind
    from playe_assets.examination.enhance_photo import enhance_photo

    stage = learned.laboratory.stage("LEARNED-1")
    taken = ingest_of(learned)
    made = stage.planned(taken)
    planned = next(p for p in made.steps[MediaKind.PHOTO] if p.cls.name == "super_resolution")

    def broken(_self, _pixels):
        raise MemoryError("planted")

    monkeypatch.setattr(planned.cls, "frame", broken)
    with pytest.raises(MemoryError):
        enhance_photo(stage, made, taken.exhibits[0])
    end = learned.laboratory.log("LEARNED-1")[-1]
    assert (end["status"], end["error"]["type"]) == ("failed", "MemoryError")
    assert set(end["model"]) == {use.name for use in planned.needs}
    assert all(m["weights_sha256"] and m["approval"]["state"] == "approved" for m in end["model"].values())
    assert (end["precision"], end["runtime"]["name"], end["runtime"]["provider"]) == (
        "fp32",
        "openvino",
        "cpu",
    )


def ingest_of(learned: Learned) -> IngestManifest:
    """The examination's first manifest, by the digest that the log states."""
    (_, opened_) = [
        e for e in learned.laboratory.log("LEARNED-1") if e["event"] == "processing.examination_opened"
    ]
    return learned.laboratory.stage("LEARNED-1").manifest(IngestManifest, opened_["output_sha256"][0])


def test_warming_loads_and_runs_each_model_of_the_preset(learned):
    from playe_assets.examination.models_engine import warmed

    found = warmed("balanced", learned.laboratory.settings)
    assert set(found) == set(learned.models)
    assert all(t["load_seconds"] > 0 and t["run_seconds"] > 0 for t in found.values())
    assert warmed("forensic_safe", learned.laboratory.settings) == {}
