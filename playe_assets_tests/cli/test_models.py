"""`playe models` from the list to a withdrawal: words, JSON, both languages, and what stands in the log."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from playe_assets.cli import playe
from playe_assets.core.errors import PlayeError
from playe_assets.examination.settings import PROJECT_ROOT
from playe_assets.inference.cards import model_cards
from playe_assets.inference.weights import place
from playe_assets_tests.cli.test_cli import run, sentence
from playe_assets_tests.inference.file_server import Behaviour, serving
from playe_assets_tests.inference.sample_cards import DATA, plain_card, write_registry

REGISTRY = model_cards(PROJECT_ROOT / "models-data" / "registry.yaml")
BOUND = {"name": "bound", "file": "bound.npz", "commercial_use": "no", "licence": "S-Lab 1.0"}


@pytest.fixture
def lab(laboratory, monkeypatch):
    """A laboratory with two cards of its own, parameters without a network; the second one's licence binds."""
    monkeypatch.setenv("COLUMNS", "240")
    write_registry(
        laboratory.settings.own_cards, plain_card(name="free", file="free.npz", format="data"),
        plain_card(DATA + b"2", format="data", **BOUND),
    )  # fmt: skip
    return laboratory


def said(*words, language="en"):
    """What the command prints; its error goes on up."""
    done = CliRunner().invoke(playe, ["--language", language, *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def told(*words):
    """The JSON document that the command prints."""
    return json.loads(said(*words, "--json"))


def refused(*words):
    """The sentence of a refusal."""
    with pytest.raises(PlayeError) as caught:
        said(*words)
    assert caught.value.message("ru") != str(caught.value)
    return str(caught.value)


def install(lab, *names):
    for name in names:
        place(DATA if name == "free" else DATA + b"2", lab.settings.weights, f"{name}.npz")


def test_the_list_shows_licence_commercial_use_ai_class_state_and_installation_of_every_model(lab):
    rows = {r["name"]: r for r in told("models", "list")}
    assert set(rows) == {*REGISTRY, "free", "bound"}
    assert rows["codeformer"]["licence"] == "S-Lab License 1.0 (non-commercial)"
    assert (rows["codeformer"]["commercial_use"], rows["codeformer"]["ai_class"]) == ("no", "generative")
    assert {(r["state"], r["installed"], len(r["certificates"])) for r in rows.values()} == {
        ("candidate", False, 0)
    }
    text = said("models", "list")
    for word in ("licence", "commercial use", "AI class", "state", "S-Lab License 1.0", "under conditions"):
        assert word in text
    assert "кандидат" in said("models", "list", language="ru")
    assert not lab.settings.log_path.exists(), "looking changes nothing"


def test_show_states_every_fact_of_a_card_and_what_was_decided(lab):
    install(lab, "bound")
    said("models", "approve", "bound", "--accept-licence", "S-Lab 1.0", "--reason", "our comparison")
    text = said("models", "show", "bound")
    for word in (
        "S-Lab 1.0",
        "approved by",
        "our comparison",
        "https://example.org/made_up.onnx",
        "fidelity",
    ):
        assert word in text
    found = told("models", "show", "bound")
    [decision] = found["history"]
    assert (found["state"], found["installed"], decision["licence_accepted"]) == (
        "approved",
        True,
        "S-Lab 1.0",
    )
    russian = said("models", "show", "bound", language="ru")
    assert "принята лицензия: S-Lab 1.0" in russian
    assert "одобрена" in russian


@pytest.mark.parametrize("name", ["gfpgan_1_4", "yolov8n_face", "lpips_alex", "rlfn_x4"])
def test_show_works_for_cards_of_every_kind(lab, name):
    text = said("models", "show", name)
    assert REGISTRY[name].licence in text
    assert REGISTRY[name].url in text


def test_a_model_that_nobody_knows_is_one_sentence(lab):
    for command in ("show", "pull", "build", "certify", "approve"):
        assert "'nobody'" in refused("models", command, "nobody")
    assert "'nobody'" in refused("models", "withdraw", "nobody", "--reason", "x")
    answer = sentence(run(lab, "--language", "ru", "models", "show", "nobody"))
    assert answer.startswith("playe: Карточки модели «nobody» нет.")


def test_pull_fetches_and_records_who_fetched_what(lab):
    with serving(Behaviour(DATA)) as address:
        own = plain_card(name="free", file="free.npz", format="data", url=address)
        write_registry(lab.settings.own_cards, own)
        [row] = told("models", "pull", "free")
    assert row["sha256"] == own["sha256"]
    assert (lab.settings.weights / "free.npz").read_bytes() == DATA
    started, done = lab.log()
    assert (done["event"], done["status"], done["step"]) == ("custody.weights_pulled", "ok", "models pull")
    assert done["output_sha256"] == [own["sha256"]]
    assert started["model"]["name"] == "free"


def test_pull_without_network_says_how_to_import_and_the_failure_is_recorded(lab):
    write_registry(
        lab.settings.own_cards, plain_card(name="free", url="http://127.0.0.1:9/file", format="data")
    )
    assert "playe models import made_up.onnx" in refused("models", "pull", "free")
    assert [e["status"] for e in lab.log()] == ["started", "failed"]
    assert lab.log()[1]["error"]["code"] == "models.pull_failed"


def test_import_installs_a_known_file_and_a_new_model_with_its_card(lab, tmp_path):
    (tmp_path / "download").write_bytes(DATA)
    assert "Installed free as free.npz. Licence MIT" in said("models", "import", str(tmp_path / "download"))
    (tmp_path / "new").write_bytes(b"new")
    refusal = refused("models", "import", str(tmp_path / "new"))
    assert "--card CARD.yaml" in refusal
    card = write_registry(
        tmp_path / "card.yaml", plain_card(b"new", name="ours", file="ours.npz", format="data")
    )
    row = told("models", "import", str(tmp_path / "new"), "--card", str(card))
    assert (row["name"], (lab.settings.weights / "ours.npz").read_bytes()) == ("ours", b"new")
    assert [e["status"] for e in lab.log()] == ["started", "ok", "started", "failed", "started", "ok"]
    assert lab.log()[-1]["model"] == {"name": "ours", "version": "1", "weights_sha256": row["sha256"],
                                      "licence": "MIT", "approval": None}  # fmt: skip


def test_approve_asks_for_the_licence_word_for_word_and_withdraw_names_the_reason(lab):
    install(lab, "bound")
    assert '--accept-licence "S-Lab 1.0"' in refused("models", "approve", "bound")
    row = told("models", "approve", "bound", "--accept-licence", "S-Lab 1.0", "--evidence", "a" * 64)
    assert (row["state"], row["evidence"], row["licence_accepted"]) == ("approved", ["a" * 64], "S-Lab 1.0")
    assert told("models", "withdraw", "bound", "--reason", "blurs")["cases"] == []
    assert "was withdrawn by" not in said("models", "list")
    assert "withdrawn by" in said("models", "show", "bound")
    assert refused("models", "withdraw", "bound", "--reason", "again").startswith(
        "The model bound is not approved"
    )


def test_withdraw_lists_the_cases_of_those_weights(lab):
    from playe_assets.custody.log import CustodyLog
    from playe_assets.custody.record import Operator, Recorder

    install(lab, "free")
    said("models", "approve", "free")
    sha256 = told("models", "show", "free")["sha256"]
    recorder = Recorder(CustodyLog(lab.settings.log_path), request_id="r", case_id="CASE-7",
                        operator=Operator("a", "b", "c"))  # fmt: skip
    with recorder.record("processing.enhance", model={"free": {"weights_sha256": sha256}}):
        pass
    assert "  CASE-7\n" in said("models", "withdraw", "free", "--reason", "blurs")


def test_withdraw_without_a_reason_is_a_usage_error(lab):
    answer = run(lab, "models", "withdraw", "free")
    assert answer.code == 2
    assert "--reason" in answer.err


def test_a_refusal_is_one_sentence_without_a_traceback_in_both_languages(lab):
    answer = sentence(run(lab, "models", "certify", "rlfn_x4", PLAYE_LANGUAGE="ru"))
    assert "playe models pull rlfn_x4" in answer
    assert "не установлены" in answer


def test_parameters_without_a_network_need_no_engine(lab):
    for command in ("build", "certify"):
        assert "playe models approve niqe" in refused("models", command, "niqe")


@pytest.mark.parametrize("words", [["--denoise"], ["0.5"], ["--denoise", "much"], ["stray", "--w", "1"]])
def test_a_model_s_own_parameters_are_pairs_of_a_name_and_a_number(lab, words):
    assert "--denoise 0.5" in refused("models", "build", "realesr_general_x4v3", *words)


def test_without_a_log_nothing_is_approved(lab, monkeypatch):
    install(lab, "free")
    monkeypatch.setenv("PLAYE_AUDIT", "off")
    assert "PLAYE_AUDIT" in refused("models", "approve", "free")


def test_a_network_goes_from_file_to_approval_with_its_certificate_in_the_record(lab, shared_data):
    pytest.importorskip("openvino", reason="the default engine")
    there = shared_data / "weights" / "fastestdet" / "example" / "onnx-runtime" / "FastestDet.onnx"
    assert "playe models pull fastestdet" in refused("models", "approve", "fastestdet")
    said("models", "import", str(there))
    built = told("models", "build", "fastestdet")
    assert len(bytes.fromhex(built["graph_sha256"])) == 32
    made = told("models", "certify", "fastestdet")
    assert (made["verdict"], made["reasons"]) == ("passed", [])
    assert made["target"] == str(lab.settings.target)
    row = told("models", "approve", "fastestdet")
    assert row["evidence"] == [made["sha256"]]
    ended = {e["event"]: e for e in lab.log() if e["status"] == "ok"}
    certified = ended["processing.model_certified"]
    assert certified["checks"][0]["verdict"] == "passed"
    assert certified["runtime"]["name"] == lab.settings.runtime
    assert certified["model"]["fastestdet"]["weights_sha256"] == row["weights_sha256"]
    assert ended["processing.model_built"]["output_sha256"] == [built["graph_sha256"]]
    found = told("models", "show", "fastestdet")
    assert [c["sha256"] for c in found["certificates"]] == [made["sha256"]]
    assert "passed" in said("models", "show", "fastestdet")
