"""Reports forged with care by somebody who has one report of ours and no key: what each check makes of them."""

from __future__ import annotations

import copy
import hashlib
import json
import os

import pytest

from playe_assets.core.canonical import canonical_json, digest
from playe_assets.core.errors import CommandError
from playe_assets.examination.verify_report import read_report, verify_report
from playe_assets.examination.verify_signed import FAILS, Given, With
from playe_assets_tests.reports import report_path


@pytest.fixture(scope="module")
def given(examined):
    """The mixed case's report as it lies on the disk."""
    return read_report(report_path(examined.laboratory, examined.case_id))


def verified(given, change, **beside):
    """The report with `change` made and the findings' digest made good."""
    content = copy.deepcopy(given.content)
    change(content)
    content["findings_sha256"] = digest(content["findings"])
    return verify_report(Given(given.path, json.dumps(content).encode(), content), With(**beside))


def failing(found):
    """The checks that fail."""
    return {c.code for c in found.checks if c.state == FAILS}


def _forged_behind_the_checkpoint(content):
    """Another photograph, and records of its making after the checkpoint, chained to the end of the log."""
    findings, custody = content["findings"], content["sections"]["custody"]
    photo = next(d for d in findings["derivatives"] if d["kind"] == "photo")
    true = (photo["sha256"], photo["pixel_sha256"])
    photo["sha256"], photo["pixel_sha256"] = "f" * 64, "e" * 64
    last = max(custody["extract"], key=lambda x: x["seq"])
    extra = []
    for line in [x for x in custody["extract"] if set(true) & set(x.get("output_sha256") or ())]:
        made = json.loads(json.dumps(line).replace(true[0], "f" * 64).replace(true[1], "e" * 64))
        made["seq"] = max(last["seq"], custody["checkpoint"]["size"] - 1) + 1
        made["prev_hash"] = hashlib.sha256(canonical_json(last)).hexdigest()
        extra.append(made)
        last = made
    for line in custody["extract"]:
        if true[0] in (line.get("input_sha256") or ()):
            made = json.loads(json.dumps(line).replace(true[0], "f" * 64))
            made["seq"] = last["seq"] + 1
            made["prev_hash"] = hashlib.sha256(canonical_json(last)).hexdigest()
            extra.append(made)
            last = made
    custody["extract"] += extra
    custody["log_head"] = {"seq": last["seq"], "sha256": hashlib.sha256(canonical_json(last)).hexdigest()}


def test_records_that_were_added_behind_the_checkpoint_do_not_outvote_the_true_ones(given):
    found = verified(given, _forged_behind_the_checkpoint)
    assert "records" in failing(found) and "proof" not in failing(found)


def test_a_report_that_agrees_with_itself_is_not_said_to_be_vouched_for(given):
    found = verified(given, lambda content: None)
    assert found.holds and not found.vouched
    own = verified(
        given, lambda content: content["sections"]["administration"]["case"].update(title="Another")
    )
    assert own.holds and not own.vouched  # nothing offline can know better, and the command says so
    key = given.content["sections"]["custody"]["checkpoint"]["key0"]
    assert verified(given, lambda content: None, key=key).vouched


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "report", "kind": "report"}',
        '{"kind": "report", "findings": {"a": 1, "a": 2}}',
        '{"kind": "report", "x": NaN}',
        '{"kind": "report", "x": -Infinity}',
        '{"kind": "report", "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=["twice", "twice below", "nan", "infinite", "deep"],
)
def test_json_that_two_readers_take_for_two_things_is_refused_in_a_sentence(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError):
        read_report(path)


def test_what_lies_too_deep_for_a_check_fails_it_and_ends_nothing(given):
    def change(content):
        deep: list[object] = []
        for _ in range(400):
            deep = [deep]
        content["sections"]["custody"]["extract"][3]["params"] = {"x": deep}

    try:
        found = verified(given, change)
    except RecursionError:
        pytest.fail("a report can end the command by its depth")
    assert failing(found)


def test_files_beside_the_report_cannot_hold_the_command_up_or_fill_the_memory(given, tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(given.raw)
    with (tmp_path / "report.json.p7s").open("wb") as out:
        os.truncate(out.fileno(), 1 << 40)
    (tmp_path / "report.pdf").symlink_to("/dev/zero")
    found = verify_report(read_report(path), With())
    assert found.holds
    assert "larger" in next(c for c in found.checks if c.code == "signature_json").said[0].said("en")
