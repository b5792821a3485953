"""An export that a test may spoil, and what its verifier says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from playe_assets.custody import standalone_verifier
from playe_assets.custody.export import Exported
from playe_assets_tests.custody.attacks import Held


@dataclass(frozen=True)
class Bag:
    """An export that a test may spoil, and the log that it is of."""

    folder: Path
    held: Held
    made: Exported

    def proof(self) -> dict:
        """`proof.json`."""
        return json.loads((self.folder / "proof.json").read_bytes())

    def rows(self) -> list[dict]:
        """`lines.jsonl`."""
        return [json.loads(row) for row in (self.folder / "lines.jsonl").read_bytes().split(b"\n")[:-1]]

    def put_proof(self, **changed: object) -> None:
        """Write it back with some fields changed."""
        (self.folder / "proof.json").write_text(json.dumps({**self.proof(), **changed}))

    def put_rows(self, rows: list[dict]) -> None:
        """Write them back."""
        (self.folder / "lines.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def note(self, epoch: int) -> Path:
        """The file of a checkpoint."""
        return self.folder / "checkpoints" / f"{epoch:06d}.note"


def told(folder: Path, key: str | None = None, witness: str | None = None) -> str:
    """What the verifier finds wrong, in English; empty where the export holds."""
    try:
        standalone_verifier.check(folder, key, witness, lambda _english, _russian: None)
    except standalone_verifier.DoesNotHoldError as problem:
        return str(problem.args[0])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
        return f"malformed: {problem!r}"
    return ""
