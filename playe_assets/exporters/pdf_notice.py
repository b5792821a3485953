"""The one page that stands in place of a withheld report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_custody import signed_word
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import box, pairs, para, sha, table

_SHOWN = 6
"""Verdicts on the page; the rest is counted, since a notice is one page and notice.json holds all."""


def notice_page(notice: Mapping[str, Any], say: Say) -> Sequence[Any]:
    """That the report is withheld, which gate, exhibit and expectation, and what to do."""
    case, lab = notice["case"], notice["laboratory"]
    head, worker = notice["log_head"], case["operator"]
    rows: list[list[Any]] = [
        [say("col.gate"), say("col.exhibit"), say("col.expectation"), say("col.observed"), say("col.allowed")]
    ]
    for v in notice["verdicts"][:_SHOWN]:
        rows.append(
            [
                para(say.gate(v["gate"]), "cell", limit=120),
                " / ".join(x for x in (v["exhibit"], v["derivative"]) if x) or say("whole_case"),
                para(say.expected(v["expectation"]), "cell", limit=120),
                para(say.figure(v["observed"]), "mono", limit=70),
                para(say.figure(v["allowed"]), "mono", limit=70),
            ]
        )
    story: list[Any] = [
        para(say("notice.title"), "title"),
        para(say("notice.subtitle", id=notice["notice_id"]), "subtitle"),
        box([para(say("notice.lead"), "strong"), para(say("notice.why"), "body")], "bad"),
        pairs(
            [
                (
                    say("lab"),
                    para(", ".join(x for x in (lab["name"], lab["address"]) if x) or "—", "cell", limit=160),
                ),
                (say("case"), para(f"{case['id']} · {case['title']}", "cell", limit=160)),
                (say("operator"), para(f"{worker['id']} ({worker['role']})", "cell", limit=120)),
                (say("examination_id"), sha(notice["examination_id"])),
                (say("date.notice"), say.utc(notice["at_utc"])),
                (say("log_head_seq"), str(head["seq"]) if head else "—"),
                (say("log_head_sha"), sha(head["sha256"] if head else None)),
                (say("front.signature"), _signed(notice, say)),
            ]
        ),
        para(say("notice.failed"), "h2"),
        table(rows, [24, 13, 23, 20, 20]),
    ]
    more = len(notice["verdicts"]) - _SHOWN
    if more > 0:
        story.append(para(say("notice.more", n=more), "muted"))
    story.append(para(say("notice.do"), "h2"))
    for number, key in enumerate(("verify", "restore", "again"), start=1):
        story.append(para(f"{number}. " + say(f"notice.do.{key}", case=case["id"]), "body"))
    story += [para(c, "code") for c in notice["what_to_do"]]
    return story


def _signed(notice: Mapping[str, Any], say: Say) -> Any:
    """Signed by whom, or not; and why not, where it should have been."""
    why = notice["unsigned_because"]
    if why is None:
        return signed_word(notice["signatures"], say)
    return para(f"{say('front.unsigned')}: {say.reason(why)}", "cell", limit=300)
