"""The lines of one case out of a log of many: all of them, only them, over rotated files too."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.core.canonical import canonical_json
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.log_tail import of_case, parser_of

NAMES = st.sampled_from(["A", "AB", "B", 'A"', "A\\", "Дело", "\u2028", '","case_id":"A'])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cases=st.lists(st.one_of(st.none(), NAMES), min_size=1, max_size=12), wanted=NAMES, inside=NAMES)
def test_every_line_of_the_case_is_found_and_no_other(tmp_path_factory, cases, wanted, inside):
    log = CustodyLog(tmp_path_factory.mktemp("log") / "events.jsonl")
    log.append(
        [{"event": "test", "case_id": c, "params": {"case_id": inside}, "step": inside} for c in cases]
    )
    expected = [e for _, e, _ in log.read() if e and e.get("case_id") == wanted]
    assert list(of_case(log, wanted)) == expected


def test_a_line_of_another_case_is_not_parsed(monkeypatch):
    parsed = parser_of("A")
    assert parsed(canonical_json({"case_id": "A", "seq": 3})) == {"case_id": "A", "seq": 3}
    assert parsed(b'{"case_id":"A') is None
    monkeypatch.setattr("playe_assets.custody.log_tail.parse", lambda _: 1 / 0)
    assert parsed(canonical_json({"case_id": "AB", "seq": 3})) is None
