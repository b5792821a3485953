"""What every stage of an examination is given: settings, the case's folder, the recorder, a progress callback."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from playe_assets.core.canonical import from_plain
from playe_assets.core.errors import IntegrityError, PlayeError, TransientError
from playe_assets.core.texts import text
from playe_assets.core.values import IngestManifest, Reason
from playe_assets.custody.environment import code_version
from playe_assets.custody.record import Recorder
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.plan import Plan, plan
from playe_assets.examination.settings import Settings
from playe_assets.stores.case_store import CaseStore

T = TypeVar("T")


class Words:
    """Words of the catalogue, put into a language by whoever shows them: `Words("clips.frames", exhibit="E001")`."""

    def __init__(self, key: str, /, **facts: Any) -> None:
        """A fact may be `Words` itself."""
        self.key = key
        self.facts = facts

    def said(self, language: str) -> str:
        """The sentence in `language` (`en` or `ru`)."""
        return text(self.key, language, **{k: in_language(v, language) for k, v in self.facts.items()})


def in_language(what: Any, language: str) -> Any:
    """`Words` as a sentence; anything else as it is."""
    return what.said(language) if isinstance(what, Words) else what


Progress = Callable[[str | Words, int, int], None]
"""(what, done, total): called at sensible steps, never once a frame. A plain string is the same in any language."""


def silent(_what: str | Words, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Stage:
    """The surroundings of one stage of one case."""

    settings: Settings
    folder: CaseFolder
    recorder: Recorder
    progress: Progress = silent

    @property
    def store(self) -> CaseStore:
        """The case's evidence store."""
        return self.folder.store

    @property
    def case_id(self) -> str:
        """The case."""
        return self.folder.case_id

    def manifest(self, kind: type[T], sha256: str) -> T:
        """A manifest by its digest; the bytes are hashed again."""
        return from_plain(kind, self.store.get_json(sha256))

    def planned(self, ingest: IngestManifest) -> Plan:
        """The plan of the examination that `ingest` began.

        Raises:
            IntegrityError: the preset or our code has changed since; the case must be examined anew.
        """
        if ingest.inputs["code_version"] != code_version():
            raise IntegrityError("code.changed", case=self.case_id, then=ingest.inputs["code_version"],
                                 now=code_version())  # fmt: skip
        made = plan(ingest.preset.name, self.settings)
        if made.preset.sha256 != ingest.preset.sha256:
            raise IntegrityError("preset.changed", preset=ingest.preset.name, case=self.case_id)
        then, now = ingest.inputs["runtime"].get("engine"), made.engine(self.settings)
        if then != now or dict(ingest.inputs["weights"]) != made.weights:
            raise IntegrityError("engine.changed", case=self.case_id, then=_words(then), now=_words(now))
        return made

    def limit_threads(self) -> int:
        """Set OpenCV's threads as the settings say; returns how many it uses."""
        import cv2

        wanted = self.settings.threads or len(os.sched_getaffinity(0))
        cv2.setNumThreads(wanted)
        self.recorder.threads = wanted
        return wanted


def _words(engine: Mapping[str, str] | None) -> str:
    return " ".join(engine.values()) if engine else "-"


def exhibit_faults() -> tuple[type[Exception], ...]:
    """What one exhibit's pixels may provoke in a library; it fails that exhibit and never the others."""
    import cv2

    return (PlayeError, MemoryError, ValueError, ArithmeticError, cv2.error)


def reason_of(problem: Exception) -> Reason:
    """An error as a reason that manifests carry: our own with code and facts, another's by its type.

    Raises:
        TransientError: `problem` itself, where another try may succeed.
    """
    if isinstance(problem, TransientError):
        raise problem
    if isinstance(problem, PlayeError):
        return Reason(problem.code, {k: str(v) for k, v in problem.facts.items()})
    if isinstance(problem, MemoryError):
        return Reason("processing_memory", {})
    return Reason("unexpected", {"type": type(problem).__name__, "message": str(problem)[:300]})
