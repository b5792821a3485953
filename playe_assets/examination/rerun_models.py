"""Models of a rerun: weight files found by the report's own digests, engines of this laboratory where there are any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playe_assets.core.errors import MissingResourceError, PlayeError
from playe_assets.examination.rerun_evidence import find_by_digest
from playe_assets.examination.settings import Settings
from playe_assets.examination.stage import Progress, Words, silent
from playe_assets.inference.cards import ModelCard, model_cards


@dataclass(frozen=True)
class Lacking:
    """A model that the report names and that is not here."""

    name: str
    sha256: str
    """Of the weight file that the report names."""
    why: Words
    """Where the file has to be put, or that this installation has no card of it."""


def settings_of_rerun(
    settings: Settings, work: Path, report: Mapping[str, Any], threads: int | None
) -> Settings:
    """A laboratory of its own below `work`: nothing of `settings`' data is written, no approval is asked for.

    Learned models run on what the report names, as long as that is here; who compares says where it is not.
    """
    engine = report["findings"]["inputs"]["runtime"].get("engine") or {}
    made = replace(
        settings,
        data_root=work,
        inbox=work / "inbox",
        presets=work / "presets",
        audit="full",
        threads=settings.threads if threads is None else threads,
        inline_previews=False,
        tsa_url="",
        signing_key="",
        signing_certificates="",
        signing_pkcs12="",
        signing_passphrase_file="",
        custody_key="",
        log_origin="",
        models_without_approval_for_the_rerun_of=str(report["report_id"]),
    )
    if not engine:
        return made
    kind = str(engine["device"])
    device = settings.device if settings.device.partition(":")[0] == kind else kind
    wanted = replace(made, runtime=str(engine["runtime"]), provider=str(engine["provider"]),
                     precision=str(engine["precision"]), device=device)  # fmt: skip
    return wanted if usable(wanted) else made


def usable(settings: Settings) -> bool:
    """Whether the settings' runtime, provider and device are here."""
    from playe_assets.inference.runtimes import RUNTIMES

    try:
        RUNTIMES.get(settings.target.runtime)(settings.target).check()
    except PlayeError:
        return False
    return True


def bring_models(
    report: Mapping[str, Any], laboratory: Settings, scratch: Settings, weights: Path | None,
    progress: Progress = silent,
) -> list[Lacking]:  # fmt: skip
    """Lay the weight files that the report names into the scratch laboratory as links; what is not here is returned.

    Looked for by name and size first, then by digest in the whole folder `weights`, or in the laboratory's own.
    """
    wanted: dict[str, str] = dict(report["findings"]["inputs"].get("weights") or {})
    if not wanted:
        return []
    scratch.data_root.mkdir(parents=True, exist_ok=True)
    if laboratory.own_cards.is_file():
        scratch.own_cards.write_bytes(laboratory.own_cards.read_bytes())
    if laboratory.engines.is_dir() and not scratch.engines.exists():
        scratch.engines.symlink_to(laboratory.engines.resolve(), target_is_directory=True)
    cards = model_cards(scratch.registry, scratch.own_cards)
    folder = weights or laboratory.weights
    known = {name: cards[name] for name, sha256 in wanted.items() if _is(cards.get(name), sha256)}
    found = find_by_digest(folder, [(str(c.sha256), c.bytes) for c in known.values()], progress)
    lacking = []
    scratch.weights.mkdir(parents=True, exist_ok=True)
    for name, sha256 in sorted(wanted.items()):
        if name not in known:
            lacking.append(Lacking(name, sha256, _other_card(cards.get(name))))
        elif sha256 not in found:
            lacking.append(
                Lacking(name, sha256, Words("rerun.model.put", file=known[name].file, folder=str(folder),
                                            name=name))
            )  # fmt: skip
        else:
            link = scratch.weights / known[name].file
            link.unlink(missing_ok=True)
            link.symlink_to(found[sha256].resolve())
    return lacking


def _is(card: ModelCard | None, sha256: str) -> bool:
    return card is not None and card.sha256 == sha256


def _other_card(card: ModelCard | None) -> Words:
    if card is None:
        return Words("rerun.model.no_card")
    return Words("rerun.model.other_card", sha256=card.sha256)


def engine_here(scratch: Settings, report: Mapping[str, Any]) -> dict[str, str] | None:
    """What learned models of this rerun run on; null where the report's recipe has none.

    Raises:
        MissingResourceError: neither the report's engine nor the settings' one is here.
    """
    from playe_assets.examination.engine import engine_of

    stated = report["findings"]["inputs"]["runtime"].get("engine")
    if not stated:
        return None
    if not usable(scratch):
        raise MissingResourceError("rerun.no_engine", engine=" ".join(map(str, stated.values())),
                                   target=str(scratch.target))  # fmt: skip
    return engine_of(scratch)
