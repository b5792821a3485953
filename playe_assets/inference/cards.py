"""Model cards: the facts of weight files, from `models-data/registry.yaml` and the laboratory's own `cards.yaml`.

A card holds facts only. Who approved a model, when and on what evidence are events in the custody log.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import digest
from playe_assets.core.errors import CommandError
from playe_assets.core.params import Where, bounds, flag, one_number_of, one_of, parse
from playe_assets.core.values import AiClass
from playe_assets.core.yamlfile import Block, read_block

SCHEMA = "playe-models/2"
FORMATS = ("onnx", "pth", "safetensors", "data")
"""`data` is parameters without a network (NIQE, BRISQUE, linear heads): kept and hashed, never opened here."""
COMMERCIAL = ("yes", "no", "conditions")
STATUSES = ("confirmed", "single source", "computed", "unknown")
"""How well the sha256 is known; `computed`: from the file in the named public repository at a named commit."""


@dataclass(frozen=True)
class InputFacts:
    """What the network takes: float32 NCHW; `range` says what 0 and full scale of a sample become."""

    range: str = one_of("0..1", "0..255", "-1..1")
    order: str = one_of("rgb", "bgr", "grey")
    multiple_of: int = bounds(1, 256, "px")
    """Height and width are padded (reflected) to a multiple of this."""


@dataclass(frozen=True)
class TilingFacts:
    """How a picture larger than one tile is cut.

    `halo`: the receptive field is bounded by `border` px and tiled equals untiled; `overlap`: it is not, tiles
    overlap by `border` px and are blended, the seam error is measured; `none`: the network sees whole inputs
    of a size of its own (detectors, aligned faces).
    """

    mode: str = one_of("halo", "overlap", "none")
    tile: int = bounds(0, 4096, "px")
    """Side of the square that one run sees, border included; 0 for `none`."""
    border: int = bounds(0, 1024, "px")
    local_statistics: bool = flag()
    """Global averages inside the network are taken over the training window (NAFNet's TLC)."""


@dataclass(frozen=True)
class ModelCard:
    """Facts of one weight file."""

    name: str
    title: str
    task: str
    architecture: str
    version: str
    file: str
    format: str
    url: str
    bytes: int | None
    sha256: str | None
    """Null where no trustworthy digest is known: such a model can only be imported with a card of one's own."""
    sha256_status: str
    licence: str
    commercial_use: str
    """`yes`, `no` (approval needs the explicit acceptance of `licence`) or `conditions` (shown beside it)."""
    ai_class: AiClass
    scale: int
    reference: str
    input: InputFacts
    tiling: TilingFacts
    hyper: Mapping[str, Any] = field(default_factory=dict)
    """What the architecture needs beyond the weights' own shapes; also plain facts for people."""
    mirrors: tuple[str, ...] = ()
    extra: str = ""
    """The optional extra of PLAYE that carries the architecture (`restricted`, `yolo`, `iqa`), else empty."""
    notes: str = ""

    @property
    def restricted(self) -> bool:
        """Whether its licence must be accepted in so many words before approval."""
        return self.commercial_use != "yes"

    @functools.cached_property
    def facts_sha256(self) -> str:
        """Digest of what decides how the bytes run and what their results are called; another card of the same
        bytes, with another colour order, border or class, is another model. Words and addresses do not count.
        """
        return digest([self.task, self.architecture, self.format, self.ai_class, self.scale, self.input, self.tiling,
                       self.hyper, self.extra])  # fmt: skip


_REQUIRED = ("name", "title", "task", "architecture", "version", "file", "format", "url", "bytes", "sha256",
             "sha256_status", "licence", "commercial_use", "ai_class", "scale", "reference", "input",
             "tiling")  # fmt: skip
_OPTIONAL = ("hyper", "mirrors", "extra", "notes")
_WORD = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
"""The name of a weight file is a path below the weights' folder: no separator, no leading dot."""
_FORMS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda v: _matches(_WORD, v), "lower-case letters, digits and _"),
    "file": (lambda v: _matches(_FILE, v), "the plain name of a file"),
    "bytes": (lambda v: v is None or (type(v) is int and v > 0), "a whole number of bytes, or null"),
    "sha256": (lambda v: v is None or _matches(re.compile("[0-9a-f]{64}"), v), "64 hexadecimal digits, or null"),
    "input": (lambda v: isinstance(v, dict), "range, order, multiple_of"),
    "tiling": (lambda v: isinstance(v, dict), "mode, tile, border, local_statistics"),
    "hyper": (lambda v: isinstance(v, dict), "a mapping"),
    "mirrors": (lambda v: isinstance(v, list) and all(isinstance(u, str) for u in v), "a list of addresses"),
    **{k: (lambda v: isinstance(v, str) and bool(v.strip()), "text")
       for k in ("title", "task", "architecture", "version", "url", "licence", "reference")},
}  # fmt: skip


def _matches(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


@dataclass(frozen=True)
class _Choices:
    format: str = one_of(*FORMATS)
    sha256_status: str = one_of(*STATUSES)
    commercial_use: str = one_of(*COMMERCIAL)
    ai_class: str = one_of(*list(AiClass))
    scale: int = one_number_of(1, 2, 3, 4)


def model_cards(registry: Path, own: Path | None = None) -> dict[str, ModelCard]:
    """All cards by name; `own` is the laboratory's file of added cards, which may be absent.

    Raises:
        CommandError: a file cannot be read, or a card is wrong, with file and line.
    """
    found: dict[str, ModelCard] = {}
    files: dict[str, str] = {}
    for path in (registry, own):
        if path is None or (path is own and not path.is_file()):
            continue
        for card in read_cards(path.read_text(encoding="utf-8"), path.name):
            if card.name in found:
                raise CommandError("models.duplicate", name=card.name, file=path.name)
            if card.file in files:
                raise CommandError("models.same_file", name=card.name, file=path.name, weights=card.file,
                                   other=files[card.file])  # fmt: skip
            files[card.file] = card.name
            found[card.name] = card
    return found


def read_cards(text: str, file: str) -> list[ModelCard]:
    """The cards of one registry file.

    Raises:
        CommandError, PresetError: a card is wrong, with file and line.
    """
    return list(_read(text, file))


@functools.lru_cache(maxsize=8)  # a registry is long, and a command may ask for it several times
def _read(text: str, file: str) -> tuple[ModelCard, ...]:
    block = read_block(text, file, CommandError)
    if block.get("schema") != SCHEMA:
        raise CommandError("models.schema", file=file, found=repr(block.get("schema")), expected=SCHEMA)
    items = block.get("models")
    if not isinstance(items, list) or not all(isinstance(item, Block) for item in items):
        raise CommandError("models.missing_key", file=file, line=block.line, key="models",
                           allowed="models: a list of cards")  # fmt: skip
    return tuple(_card(item) for item in items)


def _card(block: Block) -> ModelCard:
    for key in block.values:
        if key not in _REQUIRED + _OPTIONAL:
            raise _wrong(block, key, "models.unknown_key", ", ".join(_REQUIRED + _OPTIONAL))
    for key in _REQUIRED:
        if key not in block:
            raise CommandError("models.missing_key", file=block.file, line=block.line, key=key,
                               allowed=", ".join(_REQUIRED))  # fmt: skip
    plain = block.plain()
    for key, (good, allowed) in _FORMS.items():
        if key in plain and not good(plain[key]):
            raise CommandError("models.card_value", file=block.file, line=block.lines[key], key=key,
                               value=repr(plain[key]), allowed=allowed)  # fmt: skip
    where = Where(block.file, block.line, str(plain["name"]), dict(block.lines))
    parse(_Choices, {k: plain[k] for k in ("format", "sha256_status", "commercial_use", "ai_class", "scale")},
          where)  # fmt: skip
    plain["input"] = parse(InputFacts, plain["input"], block["input"].where("input"))
    plain["tiling"] = parse(TilingFacts, plain["tiling"], block["tiling"].where("tiling"))
    plain["ai_class"] = AiClass(plain["ai_class"])
    plain["mirrors"] = tuple(plain.get("mirrors", ()))
    return ModelCard(**plain)


def _wrong(block: Block, key: str, code: str, allowed: str) -> CommandError:
    return CommandError(
        code, file=block.file, line=block.lines.get(key, block.line), key=key, allowed=allowed
    )
