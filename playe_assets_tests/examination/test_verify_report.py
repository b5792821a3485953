"""A report held against itself, offline: each planted change fails the check that it is about."""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

import playe_assets
from playe_assets.core.canonical import canonical_json, digest
from playe_assets.core.errors import CommandError
from playe_assets.core.texts import catalogue
from playe_assets.custody.log import CustodyLog
from playe_assets.examination.verify_report import LARGEST, read_report, verify_report
from playe_assets.examination.verify_signed import FAILS, HOLDS, NOT_CHECKED, Given, With
from playe_assets_tests.reports import altered, report_path

EXAMPLES = Path(playe_assets.__file__).parent.parent / "docs" / "examples"


@pytest.fixture(scope="module")
def given(examined):
    """The mixed case's report as it lies on the disk."""
    return read_report(report_path(examined.laboratory, examined.case_id))


def states(given, content=None, **beside):
    """Check to state."""
    held = given if content is None else Given(given.path, json.dumps(content).encode(), content)
    found = verify_report(held, With(**beside))
    for check in found.checks:  # every sentence is there, in both languages, with its facts
        for words in check.said:
            assert "{" not in words.said("en") and "{" not in words.said("ru"), words.said("en")
            assert not words.said("en").startswith("check."), words.key
    return {c.code: c.state for c in found.checks}


def failing(given, content, **beside):
    """The checks that fail."""
    return {code for code, state in states(given, content, **beside).items() if state == FAILS}


def first(given, content, code):
    """What a check says first, in English."""
    found = verify_report(Given(given.path, b"", content), With())
    return next(c for c in found.checks if c.code == code).said[0].said("en")


def changed(content, change):
    """The report with `change` made, and no digest made good."""
    made = copy.deepcopy(content)
    change(made)
    return made


def test_an_untouched_report_fails_no_check_and_says_what_it_could_not_check(given):
    found = states(given)
    assert FAILS not in found.values()
    assert {k for k, v in found.items() if v == HOLDS} >= {
        "form", "findings", "recipe", "examination", "derivation", "records", "extract"}  # fmt: skip
    assert found["exhibits"] == found["derivatives"] == found["signature_json"] == NOT_CHECKED


def test_exhibits_and_derivatives_are_found_by_their_bytes(examined, given, tmp_path):
    evidence, store = examined.laboratory.root / "evidence", given.path.parents[2] / "objects"
    found = states(given, exhibits=evidence, derivatives=store)
    assert found["exhibits"] == found["derivatives"] == HOLDS
    some = tmp_path / "some"
    shutil.copytree(evidence, some)
    (some / "b_secret_clip.mp4").write_bytes(b"another")
    assert failing(given, given.content, exhibits=some, derivatives=tmp_path) == {"exhibits", "derivatives"}


def test_a_finding_altered_without_its_digest_fails_the_digest(given):
    made = changed(given.content, lambda r: r["findings"]["derivatives"][0].update(width=9))
    assert "findings" in failing(given, made)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda r: r["findings"]["steps"][0]["steps"][1]["params"].update(h_luma=9.0), "records"),
        (lambda r: r["findings"]["steps"][0]["steps"][1].update(version="9"), "records"),
        (lambda r: r["findings"]["steps"][1]["steps"].pop(), "records"),
        (lambda r: r["findings"]["derivatives"][0].update(sha256="0" * 64), "records"),
        (lambda r: r["findings"]["derivatives"][0].update(pixel_sha256="0" * 64), "records"),
        (lambda r: r["findings"]["exhibits"][0].update(sha256="1" * 64), "records"),
        (lambda r: r["findings"]["detections"][0].update(sha256="1" * 64), "records"),
        (lambda r: r["findings"]["metrics"]["rows"][0].update(psnr_exhibit=99.0), "records"),
        (lambda r: r["findings"]["derivatives"][0].update(was_derived_from=["1" * 64]), "derivation"),
        (lambda r: r["findings"]["derivatives"][1].update(exhibit="E009"), "derivation"),
        (lambda r: r["findings"]["derivatives"][1].update(ai_class="generative"), "derivation"),
        (lambda r: r["findings"]["steps"][0]["steps"][1].update(ai_class="fidelity"), "derivation"),
        (lambda r: r["findings"]["steps"][0]["derivatives"].append("D077"), "derivation"),
    ],
)
def test_a_forger_who_makes_every_digest_good_is_caught_by_the_records(given, change, check):
    assert check in failing(given, altered(given.content, change))


def test_another_recipe_and_other_inputs_fail_their_digests(given):
    def recipe(made):
        made["sections"]["administration"]["preset"]["text"] += "\n"

    assert failing(given, changed(given.content, recipe)) == {"recipe"}
    made = changed(given.content, lambda r: r["findings"]["inputs"].update(code_version="9"))
    made["findings_sha256"] = digest(made["findings"])
    assert failing(given, made) == {"examination"}


@pytest.mark.parametrize("where", ["params", "output_sha256", "operator", "t_start_utc", "seq", "prev_hash"])
def test_a_changed_line_of_the_extract_breaks_its_chain_or_its_proof(given, where):
    extract = given.content["sections"]["custody"]["extract"]
    place = next(i for i, x in enumerate(extract) if x["event"] == "processing.step" and x["status"] == "ok")

    def change(made):
        line = made["sections"]["custody"]["extract"][place]
        line[where] = {"seq": 99999, "prev_hash": "0" * 64, "output_sha256": ["0" * 64]}.get(where, "x")

    assert "extract" in failing(given, changed(given.content, change))


def test_lines_left_out_and_lines_put_in_are_missed(given):
    extract = given.content["sections"]["custody"]["extract"]
    acquired = [
        i for i, x in enumerate(extract) if x["event"] == "custody.acquired" and x["exhibit"] == "E002"
    ]

    def cut(made):
        made["sections"]["custody"]["extract"] = [x for i, x in enumerate(extract) if i not in acquired]

    found = failing(given, changed(given.content, cut))
    assert "records" in found
    assert ("proof" in found) == bool(given.content["sections"]["custody"].get("checkpoint"))

    def put_in(made):
        lines = made["sections"]["custody"]["extract"]
        lines.insert(3, dict(lines[2]))

    assert "extract" in failing(given, changed(given.content, put_in))


def test_the_extract_is_the_log_line_by_line(examined, given):
    raw = {i: line for i, _, line in CustodyLog(examined.laboratory.settings.log_path).read()}
    for line in given.content["sections"]["custody"]["extract"]:
        assert canonical_json(line) == raw[line["seq"]]


def test_the_checkpoint_is_held_against_the_key_that_was_given_or_the_chain_of_notes(
    examined, given, tmp_path
):
    stated = given.content["sections"]["custody"].get("checkpoint")
    if not stated:
        pytest.skip("this report carries no checkpoint")
    folder = examined.laboratory.settings.log_path.parent / "checkpoints"
    notes = tuple(p.read_text(encoding="utf-8") for p in sorted(folder.glob("*.note")))
    key0 = (folder / "key0.txt").read_text(encoding="utf-8").strip()
    assert states(given, notes=notes)["checkpoint"] == HOLDS
    assert states(given, notes=notes, key=key0)["checkpoint"] == HOLDS
    other = _another_key(key0)
    assert states(given, notes=notes, key=other)["checkpoint"] == FAILS

    def note(made):
        held = made["sections"]["custody"]["checkpoint"]
        held["note"] = held["note"].replace("\nepoch ", "\nepoch 1", 1)

    assert "checkpoint" in failing(given, changed(given.content, note), notes=notes, key=key0)


def _another_key(vkey):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from playe_assets.custody.note import VerifierKey

    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return str(VerifierKey(vkey.partition("+")[0], public))


def test_a_version_that_is_not_known_and_a_form_that_does_not_fit_end_the_checks(given):
    found = states(given, changed(given.content, lambda r: r.update(schema_version="9.0")))
    assert found == {"form": FAILS}
    found = states(given, changed(given.content, lambda r: r["findings"].pop("steps")))
    assert found == {"form": FAILS}


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*report*.json")), ids=lambda p: p.name)
def test_every_published_example_of_a_report_verifies_as_far_as_it_carries_facts(example):
    assert FAILS not in states(read_report(example)).values()


def test_an_older_report_verifies_as_far_as_it_carries_facts(given):
    def older(made):
        made["schema_version"] = "1.1"
        for key in ("checkpoint", "proof"):
            made["sections"]["custody"].pop(key, None)
        made["sections"]["custody"].update(signatures=[], time_stamps=[])

    found = states(given, changed(given.content, older))
    assert FAILS not in found.values() and found["form"] == found["records"] == HOLDS
    assert found["proof"] == found["checkpoint"] == found["time_stamp"] == NOT_CHECKED


def test_what_is_no_report_is_refused_in_a_sentence(tmp_path):
    for name, content in (
        ("text", "no json"),
        ("list", "[]"),
        ("other", '{"kind": "rerun"}'),
        ("deep", "[" * 99999),
    ):
        path = tmp_path / f"{name}.json"
        path.write_text(content, encoding="utf-8")
        with pytest.raises(CommandError, match="no report"):
            read_report(path)
    (tmp_path / "notice.json").write_text('{"kind": "notice"}', encoding="utf-8")
    with pytest.raises(CommandError, match="withheld"):
        read_report(tmp_path / "notice.json")
    with (tmp_path / "huge.json").open("wb") as huge:
        huge.truncate(LARGEST + 1)
    with pytest.raises(CommandError, match="bytes"):
        read_report(tmp_path / "huge.json")


def test_every_sentence_of_verification_and_rerun_is_used():
    root = Path(playe_assets.__file__).parent
    sources = "\n".join(p.read_text(encoding="utf-8") for p in root.rglob("*.py"))
    own = yaml.safe_load((root / "texts" / "rerun.yaml").read_text(encoding="utf-8"))
    prefixes = [m for m in re.findall(r'f"([a-z_.]+)\{', sources) if "." in m]
    prefixes += [
        f"check.{m}"
        for m in ("form", "findings", "recipe", "examination", "derivation", "records", "extract")
    ]
    for key in own:
        assert key in catalogue()
        short = key.partition(".")[2]
        literal = f'"{key}"' in sources or f'"{short}"' in sources or f'"{key.rpartition(".")[2]}"' in sources
        assert literal or any(key.startswith(p) or short.startswith(p) for p in prefixes), (
            f"nothing says {key}"
        )
