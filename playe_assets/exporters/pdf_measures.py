"""Section 6: measures, thresholds and verdicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_charts import strip
from playe_assets.exporters.pdf_page import heading
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import chip, headed, markup, para, shown, table
from playe_assets.exporters.pdf_view import View

_BOUND_BY = ("gate", "exhibit", "derivative", "expectation")


def measures(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Verdicts by gate, those that failed, thresholds with a plot each, and every figure."""
    view = View(report)
    part = view.sections["metrics"]
    golden = part["golden_set"]
    story: list[Any] = [*heading(say("s6")), para(say("s6.lead"), "body")]
    story.append(para(say("golden", version=golden) if golden else say("golden.none"), "body"))
    story += _gates(view, say)
    columns = {c["name"]: c for c in view.findings["metrics"]["columns"]}
    story += _thresholds(view, columns, say)
    return [*story, *_figures(view, columns, say)]


def _gates(view: View, say: Say) -> list[Any]:
    tally: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for v in view.findings["verdicts"]:
        tally[(v["kind"], v["gate"])][0 if v["passed"] else 1] += 1
    rows: list[list[Any]] = [[say("col.gate"), say("col.kind"), say("col.passed"), say("col.failed"), ""]]
    for (kind, gate), (passed, failed) in sorted(tally.items()):
        rows.append([say.gate(gate), say.word("verdict", kind), str(passed), str(failed),
                     chip(say("failed"), "bad") if failed else chip(say("passed"), "good")])  # fmt: skip
    story: list[Any] = [*heading(say("gates"), 2), table(rows, [40, 20, 12, 14, 14])]
    bad = [v for v in view.findings["verdicts"] if not v["passed"]]
    if not bad:
        return [*story, para(say("gates.clean"), "body")]
    overrides = view.sections["attempts"]["overrides"]
    heads = ("what", "gate", "expectation", "observed", "allowed", "consequence")
    rows = [[say(f"col.{k}") for k in heads]]
    for v in bad:
        bound = any(
            all(o[k] == v[k] for k in ("gate", "exhibit", "derivative", "expectation")) for o in overrides
        )
        outcome = say("overridden") if bound else say.word("on_fail", v["on_fail"])
        rows.append(
            [
                " / ".join(x for x in (v["exhibit"], v["derivative"]) if x) or say("whole_case"),
                say.gate(v["gate"]),
                say.expected(v["expectation"]),
                para(say.figure(v["observed"]), "cell", limit=120),
                para(say.bounds(v["allowed"]), "cell", limit=120),
                chip(outcome, "warn" if bound or v["on_fail"] == "warn" else "bad"),
            ]
        )
    return [*story, *heading(say("gates.failed"), 2), table(rows, [14, 18, 24, 13, 13, 18])]


def _label(column: str, say: Say) -> str:
    return say.other(f"metric.{column}", column)


def _limits(threshold: Mapping[str, Any], say: Say) -> str:
    low, high = threshold["low"], threshold["high"]
    words = [f"≥ {say.number(low)}"] if low is not None else []
    words += [f"≤ {say.number(high)}"] if high is not None else []
    return ", ".join(words) or "—"


def _thresholds(view: View, columns: Mapping[str, Mapping[str, Any]], say: Say) -> list[Any]:
    from reportlab.platypus import KeepTogether

    story: list[Any] = [*heading(say("thresholds"), 2)]
    thresholds = view.sections["metrics"]["thresholds"]
    if not thresholds:
        return [*story, para(say("thresholds.none"), "body")]
    media = {e["number"]: e["media"] for e in view.exhibits}
    for t in thresholds:
        about = say.word("media", t["media"]) if t["media"] else say("all_media")
        unit = say.unit(columns.get(t["column"], {}).get("unit"))
        consequence = say.word("on_fail_would", t["on_fail"])
        bounds = f"{_limits(t, say)} {shown(unit)}".strip()
        title = f"<b>{shown(_label(t['column'], say))}</b>: {bounds} · {about} · {consequence}"
        values = [
            (number, worst)
            for number, rows in view.rows.items()
            if t["media"] in (None, media.get(number))
            and (worst := _worst([r.get(t["column"]) for r in rows], t)) is not None
        ]
        block: list[Any] = [markup(title, "body")]
        if values:
            block.append(strip(sorted(values), t["low"], t["high"], say))
        else:
            block.append(para(say("no_values"), "muted"))
        story.append(KeepTogether(block))
    return story


def _worst(values: Sequence[Any], threshold: Mapping[str, Any]) -> float | None:
    numbers = [float(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if not numbers:
        return None
    return min(numbers) if threshold["low"] is not None else max(numbers)


def _figures(view: View, columns: Mapping[str, Mapping[str, Any]], say: Say) -> list[Any]:
    story: list[Any] = [*heading(say("figures"), 2), para(say("figures.lead"), "body")]
    for number in sorted(view.rows):
        for row in view.rows[number]:
            title = f"{number} · {row.get('derivative') or ''} · {view.names.get(number, '')}"
            story += headed(shown(title, 200), "h3")
            if (row.get("frames_compared") or 1) > 1:
                story.append(para(say("frames_compared", n=row["frames_compared"]), "muted"))
            story.append(_grid(row, columns, say))
    return story


def _grid(row: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]], say: Say) -> Any:
    """Two measures a line: name, value with unit; what could not be measured is left out."""
    cells = [
        (_label(name, say), f"{say.number(row[name])} {say.unit(column.get('unit'))}".strip())
        for name, column in columns.items()
        if isinstance(row.get(name), (int, float)) and not isinstance(row[name], bool)
    ]
    if not cells:
        return para(say("no_values"), "muted")
    half = (len(cells) + 1) // 2
    right = [*cells[half:], ("", "")]
    lines = []
    for (label, value), (label2, value2) in zip(cells[:half], right, strict=False):
        lines.append([para(label, "label"), para(value, "cell"), para(label2, "label"), para(value2, "cell")])
    return table(lines, [30, 20, 30, 20], head=0)
