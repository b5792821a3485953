"""Sections 4 and 5: methods once, their use on each exhibit, what was found, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.core.canonical import digest
from playe_assets.core.values import AiClass
from playe_assets.exporters.pdf_measured import measured
from playe_assets.exporters.pdf_page import heading
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import headed, markup, pairs, para, sha, shown, table
from playe_assets.exporters.pdf_view import View


def steps(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Section 4. A method with the same version and parameters is described once and cited as M1, M2 ..."""
    view = View(report)
    methods: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for entry in view.findings["steps"]:
        for step in entry["steps"]:
            label, held = methods.setdefault(_identity(step), (f"M{len(methods) + 1}", step))
            if AiClass(step["ai_class"]).rank > AiClass(held["ai_class"]).rank:
                methods[_identity(step)] = (label, step)
    story: list[Any] = [*heading(say("s4")), para(say("s4.lead"), "body"), *heading(say("methods"), 2)]
    for label, step in methods.values():
        story += _method(label, step, say)
    story += _detectors(view, say)
    story += heading(say("applied"), 2)
    if view.video:
        story.append(para(say("applied.clips"), "muted"))
    records = view.records()
    for e in view.examined():
        story += _applied(e, view, methods, records, say)
    return [*story, *_environment(view, say)]


def attempts(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Section 5: failures, repeated attempts and overrides; "none" is said, not implied."""
    part = report["sections"]["attempts"]
    story: list[Any] = [*heading(say("s5"))]
    rows: list[list[Any]] = [
        [say("col.utc"), say("col.what"), say("col.exhibit"), say("col.outcome"), say("col.why")]
    ]
    for a in part["attempts"]:
        rows.append([say.utc(a["started_utc"]), _what(a["what"], say), a["exhibit"] or "—",
                     say.word("outcome", a["outcome"]), _error(a["error"], say)])  # fmt: skip
    for f in part["failures"]:
        rows.append(["—", say.word("stage", f["stage"]), f["exhibit"],
                     say.word("outcome", "failed"), say.reason(f["reason"])])  # fmt: skip
    story.append(table(rows, [21, 19, 9, 14, 37]) if len(rows) > 1 else para(say("attempts.none"), "body"))
    if any(a["outcome"] == "interrupted" for a in part["attempts"]):
        story.append(para(say("attempts.interrupted"), "muted"))
    story += heading(say("overrides"), 2)
    rows = [[say("col.utc"), say("col.gate"), say("col.exhibit"), say("col.who"), say("col.why")]]
    for o in part["overrides"]:
        about = " / ".join(x for x in (o["exhibit"], o["derivative"], o["expectation"]) if x)
        who = say("override.who", operator=o["operator"], approver=o["approver"])
        rows.append([say.utc(o["at_utc"]), say.gate(o["gate"]), about or "—", who, o["reason"]])
    story.append(table(rows, [19, 17, 17, 19, 28]) if len(rows) > 1 else para(say("overrides.none"), "body"))
    return story


def _what(what: str, say: Say) -> str:
    """`asset: step`, the asset in words."""
    asset, mark, step = what.partition(": ")
    return say.word("stage", asset) + mark + step


def _error(error: Mapping[str, Any] | None, say: Say) -> str:
    """The error's sentence; where only the log's message is left of it, that message as it was written."""
    if error is None:
        return "—"
    message = error["facts"].get("message")
    return f"{error['code']}: {message}" if message else say.reason(error, "error")


def _identity(step: Mapping[str, Any]) -> str:
    """The AI class is left out: a learned step is `none` on an exhibit to which it was not applied."""
    return digest([step["use"], step["version"], step["params"], step["weights"]])


def parameters(params: Mapping[str, Any], say: Say) -> str:
    """All parameters as markup; the names are those of the preset."""
    if not params:
        return shown(say("no_params"))
    return "; ".join(
        f"<b>{shown(k, 60)}</b> = {shown(say.number(v, 6), 120)}" for k, v in sorted(params.items())
    )


def _method(label: str, step: Mapping[str, Any], say: Say) -> list[Any]:
    from reportlab.platypus import KeepTogether

    plain = say.other(f"step.{step['use']}", step["use"], **say.facts(step["params"]))
    rows: list[tuple[str, Any]] = [
        (say("does"), plain),
        (say("params"), markup(parameters(step["params"], say), "cell")),
        (say("reference"), step["reference"]),
        (say("col.class"), say.word("ai", step["ai_class"])),
    ]
    for file, digest_ in sorted(step["weights"].items()):
        rows.append((say("weights"), markup(f"{shown(file, 120)}<br/>{shown(digest_)}", "mono")))
    head = markup(f"{label} · {shown(step['use'])} {shown(step['version'])}", "h3")
    return [KeepTogether([head, pairs(rows, 0.16)])]


def _detectors(view: View, say: Say) -> list[Any]:
    seen: dict[str, Mapping[str, Any]] = {}
    for found in view.findings["detections"]:
        for method in found["methods"]:
            seen.setdefault(digest(method), method)
    if not seen:
        return []
    rows: list[list[Any]] = [[say("col.detector"), say("does"), say("params")]]
    for m in seen.values():
        name, params = str(m.get("name", "?")), m.get("params") or {}
        rest = {
            k: v for k, v in m.items() if k not in ("name", "version", "params", "reference", "weights") and v
        }
        weights = {f"{say('weights')} {k}": v for k, v in (m.get("weights") or {}).items()}
        rows.append(
            [
                f"{name} {m.get('version', '')}",
                "\n".join(
                    (say.other(f"detector.{name}", name, **say.facts(params)), str(m.get("reference") or ""))
                ).strip(),
                markup(
                    parameters({**params, **rest}, say)
                    + "".join(f"; <b>{shown(k, 120)}</b> {shown(v)}" for k, v in weights.items()),
                    "cell",
                ),
            ]
        )
    return [*heading(say("detectors"), 2), para(say("detectors.lead"), "body"), table(rows, [14, 38, 48])]


def _applied(
    exhibit: Mapping[str, Any],
    view: View,
    methods: Mapping[str, tuple[str, Mapping[str, Any]]],
    records: Mapping[tuple[str, str], Mapping[str, Any]],
    say: Say,
) -> list[Any]:
    number = exhibit["number"]
    entry = view.steps[number]
    story: list[Any] = headed(f"{number} · {shown(exhibit['name_shown'], 200)}", "h3")
    if entry["failure"]:
        return [*story, para(say("step.failed", why=say.reason(entry["failure"])), "body")]
    rows: list[list[Any]] = [
        [
            say("col.step"),
            say("col.method"),
            say("col.measured"),
            say("col.log"),
            say("col.utc"),
            say("col.took"),
        ]
    ]
    used: list[Mapping[str, Any]] = []
    for step in entry["steps"]:
        record = records.get((number, step["use"])) or records.get(
            (number, f"{step['number']} {step['use']}")
        )
        used += [record] if record else []
        told = measured(step["measured"], say)
        rows.append(
            [
                str(step["number"]),
                f"{methods[_identity(step)][0]} {step['use']}",
                markup(told or "—", "cell"),
                _seqs(record),
                say.utc(record["t_start_utc"] if record else None),
                say.number(record["duration_ms"] / 1000)
                if record and record["duration_ms"] is not None
                else "—",
            ]
        )
    story.append(table(rows, [7, 20, 36, 11, 17, 9]))
    story += _where(used, say)
    story += [para(f"{say(_kind(d))}: {say.reason(d)}", "small") for d in entry["deviations"]]
    story += [para(f"{say('missing')}: {say.reason(d)}", "small") for d in entry["missing"]]
    return [*story, *_derivatives(number, view, say), *_found(exhibit, view, say)]


def _kind(reason: Mapping[str, Any]) -> str:
    """What was not fused changes no derivative: a remark."""
    return "remark" if str(reason["code"]).startswith("fusion_") else "deviation"


def _seqs(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "—"
    low, high = min(record["seqs"]), max(record["seqs"])
    return str(low) if low == high else f"{low}–{high}"


def _where(records: Sequence[Mapping[str, Any]], say: Say) -> list[Any]:
    """Runtime, device, operator and what else the log states, once an exhibit; differing values all stand."""
    told: dict[str, list[str]] = {}
    for record in records:
        runtime = record["runtime"] or {}
        activity = record["activity"] or {}
        stated = {
            "runtime": " ".join(str(runtime[k]) for k in ("name", "version", "provider") if runtime.get(k)),
            "device": runtime.get("device"),
            "precision": record["precision"],
            "tiling": _tiling(record["tiling"]),
            "seed": record["seed"],
            "code": activity.get("code_version"),
            "operator": (record["operator"] or {}).get("id"),
        }
        for key, value in stated.items():
            if value not in (None, "", [], {}) and str(value) not in told.setdefault(key, []):
                told[key].append(str(value))
    line = "; ".join(f"{say.word('where', k)}: {', '.join(v)}" for k, v in told.items() if v)
    return [para(line, "muted")] if line else []


def _tiling(stated: Mapping[str, Any] | None) -> str | None:
    """`dncnn_25 halo 256/34`: mode, side of a tile and border in px; models that see a whole picture are left out."""
    if not stated:
        return None
    cut = [
        f"{name} {t['mode']} {t['tile']}/{t['border']}{' halved' if t.get('halved') else ''}"
        for name, t in stated.items()
        if t.get("mode") not in (None, "none")
    ]
    return ", ".join(cut) or None


def _derivatives(number: str, view: View, say: Say) -> list[Any]:
    made = [d for d in view.derivatives[number] if d["kind"] != "thumbnail"]
    if not made:
        return []
    rows: list[list[Any]] = [
        [say("col.derivative"), say("col.kind"), say("col.content"), say("sha256"), say("col.from")]
    ]
    names = {e["sha256"]: e["number"] for e in view.exhibits}
    names.update({d["sha256"]: d["number"] for d in view.derivatives[number]})
    for d in made:
        size = f"{d['width']} × {d['height']}, " if d["width"] else ""
        frames = say("frames_short", n=d["frame_count"]) + ", " if (d["frame_count"] or 1) > 1 else ""
        sources = [names.get(s, s[:16]) for s in d["was_derived_from"]]
        rows.append(
            [
                d["number"],
                say.word("kind", d["kind"]),
                f"{size}{frames}{say.size(d['size'])}",
                sha(d["sha256"]),
                ", ".join(sources),
            ]
        )
    return [table(rows, [9, 22, 26, 32, 11])]


def _found(exhibit: Mapping[str, Any], view: View, say: Say) -> list[Any]:
    number = exhibit["number"]
    found = view.detections.get(number)
    if found is None:
        return []
    counts = ", ".join(f"{say.word('label', k)}: {n}" for k, n in sorted(found["counts"].items()))
    line = say("found", counts=counts or say("found.nothing"), frames=found["frames_seen"])
    story: list[Any] = [para(line, "body")]
    if found["timeline"] and number in view.video:
        story.append(para(say("video.see", section="7"), "muted"))
    return story


def _environment(view: View, say: Say) -> list[Any]:
    environment = view.sections["steps"]["environment"]
    story: list[Any] = [*heading(say("environment"), 2)]
    rows: list[tuple[str, Any]] = []
    for part, content in sorted(environment.items()):
        if isinstance(content, Mapping):
            shownas = "; ".join(f"{k} {say.number(v)}" for k, v in sorted(content.items()) if v is not None)
        else:
            shownas = str(content)
        rows.append((say.word("environment", part), shownas or "—"))
    inputs = view.findings["inputs"]
    for key in ("code_version", "code"):
        if key in inputs:
            rows.append((say("code_version"), str(inputs[key])))
    return [*story, pairs(rows)] if rows else []
