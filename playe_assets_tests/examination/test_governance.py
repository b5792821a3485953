"""Candidate, approved, withdrawn: only the log says it, by weight bytes, and only with evidence."""

from __future__ import annotations

import hashlib
import json

import pytest

from playe_assets.core.errors import CommandError, GovernanceError, IntegrityError, MissingResourceError
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.record import FIELDS, Operator, Recorder
from playe_assets.examination import governance
from playe_assets.examination.governance import (
    approvals,
    approve,
    cases_with,
    history,
    require_approved,
    state_of,
    states,
    withdraw,
)
from playe_assets.examination.models_import import import_known, import_with_card
from playe_assets.inference.cards import model_cards
from playe_assets.inference.weights import card_of, place
from playe_assets_tests.inference.sample_cards import DATA, plain_card, write_registry

NOTHING = "0" * 64
DECIDED = "custody.model_approved"


@pytest.fixture
def lab(laboratory):
    """A laboratory with three cards of its own: parameters, restricted parameters, and a network."""
    settings = laboratory.settings
    other, third = DATA + b"2", DATA + b"3"
    write_registry(
        settings.own_cards,
        plain_card(name="free", file="free.npz", format="data"),
        plain_card(
            other, name="bound", file="bound.npz", format="data", commercial_use="no", licence="S-Lab 1.0"
        ),
        plain_card(third, name="network"),
    )
    for data, name in ((DATA, "free.npz"), (other, "bound.npz"), (third, "made_up.onnx")):
        place(data, settings.weights, name)
    return laboratory


def recorder(laboratory, who="Anna", case_id=None, audit="full"):
    return Recorder(CustodyLog(laboratory.settings.log_path), request_id="r", case_id=case_id,
                    operator=Operator(who, "administrator", "os-user"), audit=audit)  # fmt: skip


def card(laboratory, name):
    return card_of(name, model_cards(laboratory.settings.registry, laboratory.settings.own_cards))


def log(laboratory):
    return CustodyLog(laboratory.settings.log_path)


def test_weights_that_nobody_decided_on_are_a_candidate_and_no_case_takes_them(lab):
    assert states(log(lab)) == {}
    assert state_of(card(lab, "free"), {}).state == "candidate"
    with pytest.raises(GovernanceError) as caught:
        require_approved(["free"], lab.settings)
    assert caught.value.code == "models.candidate"
    assert str(caught.value).endswith("Run: playe models approve free")
    assert "playe models approve free" in caught.value.message("ru")


def test_an_approval_says_who_when_why_and_on_what_and_stands_in_the_log(lab):
    approve("free", lab.settings, recorder(lab), why="our own comparison", evidence=[NOTHING])
    [started, done] = lab.log()
    assert set(done) >= set(FIELDS)
    assert (started["status"], done["status"]) == ("started", "ok")
    assert done["event"] == DECIDED
    sha256 = card(lab, "free").sha256
    assert done["model"]["weights_sha256"] == sha256
    assert done["model"]["approval"] == {
        "state": "approved", "why": "our own comparison", "evidence": [NOTHING], "licence_accepted": None,
    }  # fmt: skip
    state = states(log(lab))[sha256]
    assert (state.state, state.by, state.at) == ("approved", "Anna", done["t_end_utc"])
    assert state.seq == done["seq"]
    assert require_approved(["free"], lab.settings)["free"] == state.plain
    assert approvals([card(lab, "free")], log(lab))["free"]["by"] == "Anna"


def test_evidence_may_be_a_file_and_what_is_neither_file_nor_digest_is_refused(lab, tmp_path):
    (tmp_path / "parity.json").write_bytes(b"{}")
    state = approve("free", lab.settings, recorder(lab), evidence=[str(tmp_path / "parity.json")])
    assert state.evidence == (hashlib.sha256(b"{}").hexdigest(),)
    with pytest.raises(CommandError, match="no_such"):
        approve("free", lab.settings, recorder(lab), evidence=["no_such.json"])
    assert len(history(log(lab))) == 1


def test_what_is_not_installed_or_not_the_card_s_bytes_is_not_approved(lab):
    path = lab.settings.weights / "free.npz"
    path.write_bytes(DATA.replace(b"made", b"mode"))
    with pytest.raises(IntegrityError):
        approve("free", lab.settings, recorder(lab))
    path.unlink()
    with pytest.raises(MissingResourceError):
        approve("free", lab.settings, recorder(lab))
    assert states(log(lab)) == {}
    assert [e["status"] for e in lab.log()] == ["started", "failed"] * 2, "the attempts are recorded"


def test_an_unknown_model_is_refused_by_name(lab):
    for refused in (lambda: approve("nobody", lab.settings, recorder(lab)),
                    lambda: withdraw("nobody", lab.settings, recorder(lab), "why"),
                    lambda: require_approved(["nobody"], lab.settings)):  # fmt: skip
        with pytest.raises(CommandError, match="'nobody'"):
            refused()


@pytest.mark.parametrize("given", [None, "", "yes", "s-lab 1.0", "S-Lab 1.0 "])
def test_a_restricted_licence_is_accepted_word_for_word_or_not_at_all(lab, given):
    with pytest.raises(GovernanceError) as caught:
        approve("bound", lab.settings, recorder(lab), accept_licence=given)
    assert 'playe models approve bound --accept-licence "S-Lab 1.0"' in str(caught.value)
    assert states(log(lab)) == {}


def test_the_acceptance_of_a_licence_is_recorded_and_holds_for_that_licence_only(lab):
    approve("bound", lab.settings, recorder(lab), accept_licence="S-Lab 1.0")
    assert require_approved(["bound"], lab.settings)["bound"]["licence_accepted"] == "S-Lab 1.0"
    own = lab.settings.own_cards
    own.write_text(own.read_text(encoding="utf-8").replace("S-Lab 1.0", "S-Lab 2.0"), encoding="utf-8")
    with pytest.raises(GovernanceError) as caught:
        require_approved(["bound"], lab.settings)
    assert caught.value.code == "models.licence_changed"
    assert '--accept-licence "S-Lab 2.0"' in str(caught.value)


def test_a_licence_that_is_accepted_by_mistake_is_not_taken_for_another(lab):
    with pytest.raises(GovernanceError):
        approve("free", lab.settings, recorder(lab), accept_licence="GPL")


def test_a_network_without_a_certificate_is_not_approved(lab, monkeypatch):
    from playe_assets.examination import models_engine

    monkeypatch.setattr(models_engine, "certificate_of", lambda _use, _settings: None)
    with pytest.raises(GovernanceError) as caught:
        approve("network", lab.settings, recorder(lab), variant={"denoise": 0.5})
    assert "playe models certify network --denoise 0.5" in str(caught.value)
    assert states(log(lab)) == {}


def test_the_certificate_is_the_first_evidence(lab, monkeypatch):
    from types import SimpleNamespace

    from playe_assets.examination import models_engine

    monkeypatch.setattr(
        models_engine, "certificate_of", lambda _use, _settings: SimpleNamespace(sha256="c" * 64)
    )
    state = approve("network", lab.settings, recorder(lab), evidence=[NOTHING])
    assert state.evidence == ("c" * 64, NOTHING)
    assert state.why == f"certified for {lab.settings.target}"


def test_real_weights_are_approved_by_a_real_certificate_and_not_before(laboratory, shared_data):
    pytest.importorskip("onnxruntime", reason="the engine of this test")
    from playe_assets.core.contracts import ModelUse
    from playe_assets.examination.models_engine import certified

    settings = laboratory.settings
    there = shared_data / "weights" / "fastestdet" / "example" / "onnx-runtime" / "FastestDet.onnx"
    import_known(there, settings)
    with pytest.raises(GovernanceError, match="playe models certify fastestdet"):
        approve("fastestdet", settings, recorder(laboratory))
    made = certified(ModelUse("fastestdet"), settings)
    assert made.passed
    assert approve("fastestdet", settings, recorder(laboratory)).evidence == (made.sha256,)


def test_what_is_withdrawn_is_refused_with_who_and_why_until_it_is_approved_again(lab):
    approve("free", lab.settings, recorder(lab))
    assert withdraw("free", lab.settings, recorder(lab, "Boris"), " it blurs plates ") == []
    with pytest.raises(GovernanceError) as caught:
        require_approved(["free"], lab.settings)
    assert caught.value.code == "models.withdrawn"
    assert "by Boris at" in str(caught.value)
    assert "it blurs plates" in str(caught.value)
    approve("free", lab.settings, recorder(lab))
    assert require_approved(["free"], lab.settings)["free"]["by"] == "Anna"
    assert [s.state for s in history(log(lab))] == ["approved", "withdrawn", "approved"]


def test_only_what_is_approved_can_be_withdrawn_and_only_with_a_reason(lab):
    with pytest.raises(GovernanceError, match="nothing to withdraw"):
        withdraw("free", lab.settings, recorder(lab), "why")
    approve("free", lab.settings, recorder(lab))
    with pytest.raises(CommandError, match="--reason"):
        withdraw("free", lab.settings, recorder(lab), "  ")


def test_withdrawing_names_the_cases_whose_records_name_those_bytes_and_no_other(lab):
    approve("free", lab.settings, recorder(lab))
    sha256 = card(lab, "free").sha256
    one, many = (
        {"weights_sha256": sha256},
        {"free": {"weights_sha256": sha256}, "x": {"weights_sha256": NOTHING}},
    )
    for case_id, model in (
        ("C-2", many),
        ("C-1", one),
        ("C-1", one),
        ("C-3", {"weights_sha256": NOTHING}),
        ("C-4", None),
    ):
        with recorder(lab, case_id=case_id).record("processing.enhance", model=model):
            pass
    with recorder(lab, case_id="C-5").record("processing.enhance", params={"note": sha256}):
        pass
    assert withdraw("free", lab.settings, recorder(lab), "why") == ["C-1", "C-2"]
    assert cases_with(NOTHING, log(lab)) == ["C-2", "C-3"]


def test_other_bytes_under_the_same_name_are_a_candidate_again(lab):
    approve("free", lab.settings, recorder(lab))
    own = lab.settings.own_cards
    old = card(lab, "free").sha256
    own.write_text(own.read_text(encoding="utf-8").replace(old, "f" * 64), encoding="utf-8")
    with pytest.raises(GovernanceError, match="is a candidate"):
        require_approved(["free"], lab.settings)


@pytest.mark.parametrize(
    ("old", "new"),
    [("ai_class: fidelity", "ai_class: none"), ("order: rgb", "order: bgr"), ("scale: 1", "scale: 2")],
)
def test_the_same_bytes_under_a_card_of_other_facts_are_a_candidate_again(lab, old, new):
    approve("free", lab.settings, recorder(lab))
    own = lab.settings.own_cards
    text = own.read_text(encoding="utf-8")
    own.write_text(text.replace("title: Made up", "title: Made up anew"), encoding="utf-8")
    assert require_approved(["free"], lab.settings), "words do not count"
    own.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(GovernanceError) as caught:
        require_approved(["free"], lab.settings)
    assert caught.value.code == "models.card_changed"
    assert "playe models approve free" in caught.value.message("ru")
    assert state_of(card(lab, "free"), states(log(lab))).state == "candidate"
    approve("free", lab.settings, recorder(lab))
    assert require_approved(["free"], lab.settings)
    own.write_text(text, encoding="utf-8")
    withdraw("free", lab.settings, recorder(lab), "why")
    with pytest.raises(GovernanceError, match="withdrawn"):
        require_approved(["free"], lab.settings)


def test_without_a_log_nobody_approves_or_withdraws(lab):
    for decide in (
        lambda r: approve("free", lab.settings, r),
        lambda r: withdraw("free", lab.settings, r, "why"),
    ):
        with pytest.raises(GovernanceError) as caught:
            decide(recorder(lab, audit="off"))
        assert caught.value.code == "models.no_log"
    assert approve("free", lab.settings, recorder(lab, audit="basic")).state == "approved"


def test_attempts_that_failed_torn_lines_and_other_events_decide_nothing(lab):
    path = lab.settings.log_path
    with pytest.raises(GovernanceError):
        approve("bound", lab.settings, recorder(lab))
    log(lab).append(
        [{"event": "custody.model_approved_of", "status": "ok", "model": {"weights_sha256": NOTHING}}]
    )
    with path.open("ab") as handle:
        handle.write(b'{"event":"custody.model_approved","status":"ok","mod')
    assert states(log(lab)) == {}
    approve("free", lab.settings, recorder(lab))
    assert list(states(log(lab))) == [card(lab, "free").sha256]


def test_only_lines_of_decisions_are_parsed_in_a_long_log(lab, monkeypatch):
    approve("free", lab.settings, recorder(lab))
    path = lab.settings.log_path
    line = json.dumps({"event": "processing.enhanced", "seq": 0, "pad": "x" * 200}).encode() + b"\n"
    path.write_bytes(path.read_bytes() + line * 20_000)
    parsed = []
    real = json.loads
    monkeypatch.setattr(governance.json, "loads", lambda raw: parsed.append(1) or real(raw))
    assert list(states(log(lab))) == [card(lab, "free").sha256]
    assert len(parsed) == 2


def test_an_approval_written_into_the_log_by_hand_stops_every_model(lab):
    approve("free", lab.settings, recorder(lab))
    path = lab.settings.log_path
    forged = json.loads(path.read_bytes().splitlines()[-1])
    forged["model"]["weights_sha256"] = card(lab, "bound").sha256
    path.write_bytes(path.read_bytes() + json.dumps(forged).encode() + b"\n")
    with pytest.raises(IntegrityError, match="altered"):
        require_approved(["free"], lab.settings)


def own_card(tmp_path, data, **changed):
    return write_registry(
        tmp_path / "card.yaml", plain_card(data, name="ours", file="ours.npz", format="data", **changed)
    )


def test_a_new_model_comes_with_its_card_and_both_stay(lab, tmp_path):
    data = b"a model of our own"
    (tmp_path / "file").write_bytes(data)
    before = set(model_cards(lab.settings.registry, lab.settings.own_cards))
    made = import_with_card(tmp_path / "file", own_card(tmp_path, data), lab.settings)
    cards = model_cards(lab.settings.registry, lab.settings.own_cards)
    assert set(cards) == before | {"ours"}
    assert cards["ours"] == made
    assert (lab.settings.weights / "ours.npz").read_bytes() == data
    approve("ours", lab.settings, recorder(lab))
    assert require_approved(["ours"], lab.settings)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"sha256": NOTHING}, "models.other_bytes"),
        ({"sha256": None, "sha256_status": "unknown"}, "models.other_bytes"),
        ({"bytes": 3}, "models.other_size"),
        ({"name": "free"}, "models.duplicate"),
        ({"name": "yunet_2023mar"}, "models.duplicate"),
        ({"file": "free.npz"}, "models.same_file"),
    ],
)
def test_a_card_that_is_not_of_its_file_or_takes_another_s_place_installs_nothing(
    lab, tmp_path, changed, code
):
    data = b"a model of our own"
    (tmp_path / "file").write_bytes(data)
    before = lab.settings.own_cards.read_bytes()
    text = plain_card(data, **{"name": "ours", "file": "ours.npz", "format": "data", **changed})
    with pytest.raises(CommandError) as caught:
        import_with_card(tmp_path / "file", write_registry(tmp_path / "card.yaml", text), lab.settings)
    assert caught.value.code == code
    assert lab.settings.own_cards.read_bytes() == before
    assert not (lab.settings.weights / "ours.npz").exists()


def test_bytes_that_have_a_card_get_no_second_one_with_a_kinder_licence(lab, tmp_path):
    (tmp_path / "file").write_bytes(DATA + b"2")
    with pytest.raises(CommandError) as caught:
        import_with_card(tmp_path / "file", own_card(tmp_path, DATA + b"2"), lab.settings)
    assert caught.value.code == "models.known_bytes"
    assert caught.value.facts["name"] == "bound"


def test_one_card_is_imported_at_a_time(lab, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    two = write_registry(
        tmp_path / "card.yaml", plain_card(b"x", name="a", file="a"), plain_card(b"y", name="b", file="b")
    )
    with pytest.raises(CommandError, match="holds 2 cards"):
        import_with_card(tmp_path / "file", two, lab.settings)
    with pytest.raises(CommandError, match="There is no file"):
        import_with_card(tmp_path / "file", tmp_path / "absent.yaml", lab.settings)
