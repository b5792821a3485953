"""The log's lines as operations: a start and an end with one `op_id` are one; many segments of a step become one."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playe_assets.core.canonical import canonical_json, digest

MOST_SEGMENTS = 32
"""Where a step worked on more segments of an exhibit than this, they are told as one activity: a validator's time
grows with the number of nodes, and a long clip has thousands of segments."""
MOST_IN_ALL = 1000
"""Where a case has more operations on segments than this, every step on an exhibit's segments is one activity."""


@dataclass(frozen=True)
class Operation:
    """One operation as its lines tell it; a later line wins a field."""

    id: str
    event: str
    status: str
    seqs: tuple[int, ...]
    started: str | None
    ended: str | None
    exhibit: str | None = None
    step: str | None = None
    segment: int | None = None
    segments: int | None = None
    operator: Mapping[str, Any] = field(default_factory=dict)
    code_version: str = ""
    asset: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[Mapping[str, Any], ...] = ()
    ai_class: str | None = None
    error: str | None = None
    count: int = 1
    chains: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """Of folded segments: number to (input, output) digest."""

    @property
    def order(self) -> tuple[int, str]:
        """Which step of the preset it is, and its name; 0 where it is none."""
        number, _, name = (self.step or "").partition(" ")
        is_step = self.event == "processing.step" and number.isdigit()
        return (int(number), name) if is_step else (0, self.step or "")


def operations(extract: Iterable[Mapping[str, Any]], examination_id: str) -> list[Operation]:
    """The operations of this examination and of the case's custody, by the number of their first line."""
    lines: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in extract:
        event = str(line.get("event") or "")
        if not event.startswith(("custody.", "processing.")):
            continue
        if event.startswith("processing.") and line.get("examination_id") not in (None, examination_id):
            continue  # an earlier examination, which has a report of its own
        lines[str(line.get("op_id") or f"seq {line.get('seq')}")].append(line)
    last = max((line for found in lines.values() for line in found), key=_seq, default={})
    return _folded([_joined(key, found, _run(last)) for key, found in lines.items()])


def _seq(line: Mapping[str, Any]) -> int:
    return int(line.get("seq") or 0)


def _run(line: Mapping[str, Any]) -> Any:
    return (line.get("activity") or {}).get("run_id")


def _joined(key: str, lines: list[Mapping[str, Any]], run: Any) -> Operation:
    """One operation. What `run` began and had not ended when it wrote the report is under way, not interrupted."""
    merged: dict[str, Any] = {}
    for line in lines:
        merged.update({k: v for k, v in line.items() if v not in (None, []) or k not in merged})
    status = str(merged.get("status") or "")
    params = dict(merged.get("params") or {})
    segment = params.pop("segment", None) or {}
    activity, error = merged.get("activity") or {}, merged.get("error") or {}
    return Operation(
        id=key,
        event=str(merged["event"]),
        status=("ongoing" if _run(lines[-1]) == run else "interrupted")
        if status == "started"
        else status or "ok",
        seqs=tuple(map(_seq, lines)),
        started=merged.get("t_start_utc"),
        ended=merged.get("t_end_utc"),
        exhibit=merged.get("exhibit"),
        step=merged.get("step"),
        segment=segment.get("number"),
        segments=segment.get("of"),
        operator=merged.get("operator") or {},
        code_version=str(activity.get("code_version") or ""),
        asset=activity.get("asset_key"),
        inputs=tuple(dict.fromkeys(merged.get("input_sha256") or ())),
        outputs=tuple(dict.fromkeys(merged.get("output_sha256") or ())),
        params=params,
        models=_models(merged.get("model")),
        ai_class=merged.get("ai_class"),
        error=str(error.get("code") or error.get("type")) if error else None,
    )


def _models(found: Any) -> tuple[Mapping[str, Any], ...]:
    """The record's `model`: one entry, or entries by the card's name."""
    if not isinstance(found, Mapping) or not found:
        return ()
    if "weights_sha256" in found:
        return (found,)
    return tuple(v for _, v in sorted(found.items()) if isinstance(v, Mapping))


def _folded(found: list[Operation]) -> list[Operation]:
    """Operations with the segments of a step folded into the first of them, where there are many."""
    groups: dict[tuple[Any, ...], list[Operation]] = defaultdict(list)
    for one in found:
        if one.segment is not None and one.status == "ok":
            groups[_alike(one)].append(one)
    most = MOST_SEGMENTS if sum(map(len, groups.values())) <= MOST_IN_ALL else 1
    many = {key: group for key, group in groups.items() if len(group) > most}
    told: list[Operation] = []
    done: set[tuple[Any, ...]] = set()
    for one in found:
        key = _alike(one) if one.segment is not None and one.status == "ok" else ()
        if key not in many:
            told.append(one)
        elif key not in done:
            done.add(key)
            told.append(_one_of(many[key]))
    return told


def _alike(one: Operation) -> tuple[Any, ...]:
    models = canonical_json([dict(m) for m in one.models])
    return (one.event, one.exhibit, one.step, str(one.operator.get("id")), one.code_version, one.ai_class,
            canonical_json(dict(one.params)), models)  # fmt: skip


def _one_of(group: list[Operation]) -> Operation:
    first = group[0]
    chains = {
        int(o.segment or 0): (o.inputs[0] if o.inputs else "", o.outputs[0] if o.outputs else "")
        for o in group
    }
    return dataclasses.replace(
        first,
        id=f"{first.id}+{len(group)}",
        seqs=tuple(sorted(n for o in group for n in o.seqs)),
        started=min((o.started for o in group if o.started), default=None),
        ended=max((o.ended for o in group if o.ended), default=None),
        segment=None,
        inputs=tuple(dict.fromkeys(i for o in group for i in o.inputs)),
        outputs=(digest([[n, out] for n, (_, out) in sorted(chains.items())]),),
        count=len(group),
        chains=chains,
    )
