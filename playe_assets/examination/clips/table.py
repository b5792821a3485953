"""What is known of each frame of a clip, in columns of a few bytes: a day of frames needs no more than this."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from playe_assets.media.pixel_digest import frames_sha256


class Digests(Sequence[str]):
    """Hexadecimal sha256 digests, 32 bytes each."""

    def __init__(self, hexdigests: Iterable[str] = ()) -> None:
        self._raw = bytearray()
        self.extend(hexdigests)

    @classmethod
    def packed(cls, raw: bytes) -> Digests:
        """Of raw digests, one after the other."""
        found = cls()
        found._raw += raw
        return found

    def extend(self, hexdigests: Iterable[str]) -> None:
        """Adds digests at the end."""
        for one in hexdigests:
            self._raw += bytes.fromhex(one)

    def __len__(self) -> int:
        return len(self._raw) // 32

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return [self[n] for n in numbers]
        return self._raw[32 * numbers : 32 * numbers + 32].hex()

    def together(self) -> str:
        """The digest over all of them, in order."""
        return frames_sha256(self)


class Numbers:
    """What steps measured, by name: one float a frame, or none."""

    def __init__(self) -> None:
        self.frames = 0
        self._columns: dict[str, array[float]] = {}

    def extend(self, columns: Mapping[str, Sequence[float | None]], frames: int) -> None:
        """Adds `frames` frames; a name that they do not state has no value there."""
        for name in sorted({*self._columns, *columns}):
            column = self._columns.setdefault(name, array("d", [math.nan]) * self.frames)
            given = columns.get(name) or [None] * frames
            column.extend(math.nan if v is None else v for v in given)
        self.frames += frames

    def names(self) -> list[str]:
        """All names that any frame states, sorted."""
        return sorted(self._columns)

    def at(self, index: int) -> dict[str, float]:
        """What was measured in one frame."""
        return {n: c[index] for n, c in sorted(self._columns.items()) if not math.isnan(c[index])}

    def of(self, name: str) -> list[float]:
        """The values of `name` in order of frames, without the frames that state none."""
        return [v for v in self._columns.get(name, ()) if not math.isnan(v)]


@dataclass
class Plane:
    """Frames of a plane beside the pictures, such as `contributors`."""

    frames: array[int] = field(default_factory=lambda: array("q"))
    sha256: Digests = field(default_factory=Digests)


@dataclass
class Table:
    """Every frame of a clip that left the last step, in order."""

    pts: array[int] = field(default_factory=lambda: array("q"))
    corrupt: bytearray = field(default_factory=bytearray)
    source: Digests = field(default_factory=Digests)
    """Of the decoded frame, as received and not turned."""
    output: Digests = field(default_factory=Digests)
    fused_from: array[int] = field(default_factory=lambda: array("l"))
    kinds: list[str] = field(default_factory=list)
    """One word a frame out of very few: the list holds references."""
    shots: array[int] = field(default_factory=lambda: array("l"))
    """-1 where nobody looked for cuts."""
    numbers: Numbers = field(default_factory=Numbers)
    planes: dict[str, Plane] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pts)
