"""The evidence store read again: every object hashed, whatever else lies there named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from playe_assets.core.errors import IntegrityError
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.stage import Progress
from playe_assets.examination.verify_found import Difference
from playe_assets.stores.case_store import CaseStore, hash_file


@dataclass
class Objects:
    """The evidence store as it was found."""

    store: CaseStore
    total: int = 0
    present: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    """Objects that a difference names already."""
    enhanced: dict[str, None] = field(default_factory=dict)
    """Manifests of derivatives that reports were made from, in order."""

    def lacks(self, sha256: Any) -> bool:
        """Whether an object is gone and no difference says so yet."""
        return bool(sha256) and sha256 not in self.present and sha256 not in self.named


def stored(objects: Objects, progress: Progress) -> Iterator[Difference]:
    """Hash every object again; whatever else lies in the store is named, not read."""
    found = sorted(
        p for p in (objects.store.root / "objects").glob("**/*") if p.is_symlink() or not p.is_dir()
    )
    for number, path in enumerate(found):
        progress("objects", number, len(found))
        name = path.name
        try:
            stray = path.is_symlink() or not path.is_file() or objects.store.path(name) != path
        except IntegrityError:
            stray = True
        if stray:
            facts = {"path": str(path.relative_to(objects.store.root))}
            yield Difference("stray_file", facts)
            continue
        objects.total += 1
        try:
            whole = hash_file(path)[0] == name
        except OSError as problem:
            objects.named.add(name)
            yield Difference(
                "object_unreadable", {"sha256": name, "problem": problem.strerror or str(problem)}
            )
            continue
        if whole:
            objects.present.add(name)
        else:
            objects.named.add(name)
            yield Difference("object_changed", {"sha256": name})
    progress("objects", len(found), len(found))


def received(folder: CaseFolder, objects: Objects) -> Iterator[Difference]:
    """Whether every delivery's record and every exhibit of it is there."""
    case = folder.read()
    for number, record in enumerate(n.record for n in case.deliveries):
        if objects.lacks(record):
            yield Difference("delivery_absent", {"delivery": number + 1, "sha256": record})
    try:
        for delivery in folder.records(case):
            for exhibit in delivery.exhibits:
                if objects.lacks(exhibit.sha256):
                    facts = {"exhibit": exhibit.number, "sha256": exhibit.sha256}
                    objects.named.add(exhibit.sha256)
                    yield Difference("exhibit_absent", facts)
    except IntegrityError as problem:
        yield Difference("error", {"message": str(problem)})
