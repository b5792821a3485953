"""Runtime-equivalence certificates: an engine on this device gives what the reference in fp32 gives, or is not used.

`certify` runs the golden tiles through both and keeps the result, passed or failed, under its own digest.
`find` gives the passed one for this network, target, device, driver and runtime version, or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import canonical_json, digest, from_plain, to_plain
from playe_assets.core.errors import IntegrityError
from playe_assets.inference.compare import (
    POLICY,
    Thresholds,
    TileResult,
    compared,
    flat_shift,
    reasons,
    spans_of,
)
from playe_assets.inference.contract import Network, RuntimeFacts, Session, Target
from playe_assets.inference.golden import FLAT, VERSION, golden_tiles
from playe_assets.inference.reference import Reference, reference_of, versions

SCHEMA = "playe-certificate/1"
FOLDER = "certificates"
SIDE_CPU = 96
"""px of a golden tile on a processor: RRDBNet takes about two seconds for one there."""
SIDE_WHOLE = 256
"""px where the card names neither a tile nor a size: detectors, which look at whole pictures."""
OF_A_SHAPE = ("trt_profile_", "trt_engine_cache_path", "trt_timing_cache_path", "cuda_graph")
"""Engine options that follow from the shape of one input or from the laboratory's folders; an engine is not
bound to them."""

Opener = Callable[[Network, Target, tuple[int, int, int, int]], Session]


@dataclass(frozen=True)
class Certificate:
    """What was compared with what, where, and how it ended."""

    schema: str
    model: str
    weights_sha256: str
    others_sha256: Mapping[str, str]
    """Weight files of further cards that the variant needs, by card name."""
    variant: Mapping[str, Any]
    graph_sha256: str | None
    """The exported or native ONNX graph; null where the engine builds the network from the weights."""
    target: Mapping[str, Any]
    place: Mapping[str, Any]
    """Runtime, version, providers, device, driver, precision, options: a certificate holds there only."""
    threads: int | None
    reference: Mapping[str, str]
    """`name`, `version` and `note` of what the engine was held against."""
    golden_version: int
    golden_sha256: str
    shape: tuple[int, int, int, int]
    tiles: tuple[TileResult, ...]
    flat_shift_255: float
    """How far the model itself moves the colour of a flat field, at most, in levels of 255; a fact, no test. Above
    0.5 the card needs `low_pass_px`. 0 for networks that do not give pictures."""
    thresholds: Thresholds
    verdict: str
    """`passed` or `failed`."""
    reasons: tuple[str, ...]
    """Which test failed on which tile; empty where it passed."""
    made_utc: str
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the engine may be used."""
        return self.verdict == "passed"

    @property
    def sha256(self) -> str:
        """Its name: the digest of its canonical JSON, which is the file."""
        return digest(self)

    @property
    def max_difference(self) -> float | None:
        """The largest difference over all tiles, on the scale 0..1; null where a tile was not finite."""
        found = [t.max_difference for t in self.tiles]
        return None if None in found else max(v for v in found if v is not None)

    @property
    def mean_difference(self) -> float | None:
        """The largest of the tiles' mean differences, on the scale 0..1; null where a tile was not finite."""
        found = [t.mean_difference for t in self.tiles]
        return None if None in found else max(v for v in found if v is not None)


def certify(
    network: Network,
    target: Target,
    folder: Path,
    *,
    px: int = 0,
    open_session: Opener | None = None,
    reference: Reference | None = None,
) -> Certificate:
    """Compare the engine with the reference on the golden tiles and keep the result under `folder`.

    The reference is fp32 torch on the CPU. A card whose file is an ONNX graph has no torch module: there it is
    ONNX Runtime on the CPU with every graph optimisation off, and the certificate says so. `px` is the side of
    a tile; 0 takes the size that the card's network is made for, else 96 px on a processor and the card's tile
    on a GPU, because compiled engines choose their kernels by shape. The other arguments are for tests.

    A failed certificate is kept as well; it is never found.

    Raises:
        MissingResourceError: the engine, or torch for the reference, is not installed.
        OutOfMemoryError: the golden tile does not fit.
    """
    from playe_assets.inference.windowed import golden, samples_of

    card = network.card
    height, width = golden_size(network, target, px)
    pictures = golden_tiles(height, width)
    shape = (1, samples_of(card), height, width)
    session = (open_session or _cached)(network, target, shape)
    against, told = (
        (reference, {"name": "given", "version": "", "note": ""}) if reference else reference_of(network)
    )
    limits = POLICY[target.precision]
    tiles: list[TileResult] = []
    shift = 0.0
    inputs = {name: golden(pixels, card) for name, pixels in pictures.items()}
    expected = {name: against(given) for name, given in inputs.items()}
    spans = spans_of(list(expected.values()))
    for name, given in inputs.items():
        found = session.run([given])
        tiles.append(compared(name, given, found, expected[name], spans, card))
        if name in FLAT:
            shift = max(shift, flat_shift(given, found[0], card))
    failed = reasons(tiles, limits)
    made = Certificate(
        schema=SCHEMA,
        model=card.name,
        **_identity(network),
        target=to_plain(target),
        place=place_of(session.facts),
        threads=session.facts.threads,
        reference=told,
        golden_version=VERSION,
        golden_sha256=hashlib.sha256(b"".join(p.tobytes() for p in pictures.values())).hexdigest(),
        shape=shape,
        tiles=tuple(tiles),
        flat_shift_255=shift,
        thresholds=limits,
        verdict="failed" if failed else "passed",
        reasons=failed,
        made_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        packages=versions(),
    )
    _keep(made, folder / FOLDER, key_of(network, target))
    return made


def find(
    network: Network, target: Target, folder: Path, *, open_session: Opener | None = None
) -> Certificate | None:
    """The newest passed certificate for this network and target on this device, driver and runtime version.

    The device is asked once per process and target, through this network's own session. Certificates under
    older thresholds or golden tiles do not count.

    Raises:
        IntegrityError: a certificate's file is not what its name says.
    """
    there = folder / FOLDER
    named = _index(there, key_of(network, target))
    if not named:
        return None
    ours = to_plain(
        _identity(network)
    )  # the index only leads here; the certificate itself says what it is for
    place = _place_here(network, target, open_session)
    for name in reversed(named):
        held = read(there / f"{name}.json")
        if held is None:
            continue
        valid = (
            held.passed
            and held.schema == SCHEMA
            and held.golden_version == VERSION
            and held.thresholds == POLICY[target.precision]
            and to_plain(held.place) == place
            and held.model == network.card.name
            and all(to_plain(getattr(held, field)) == value for field, value in ours.items())
        )
        if valid:
            return held
    return None


def read(path: Path) -> Certificate | None:
    """The certificate in the file `path`; null where there is no such file.

    Raises:
        IntegrityError: its digest is not its name, or it is no certificate.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    found = hashlib.sha256(data).hexdigest()
    if found != path.stem:
        raise IntegrityError("certificates.changed", file=str(path), found=found)
    plain = json.loads(data)
    if plain.get("schema") != SCHEMA:
        return None  # written by another version of PLAYE
    return from_plain(Certificate, plain)


def key_of(network: Network, target: Target) -> str:
    """What certificates are indexed by: weights, variant, graph and target without its number of threads."""
    asked = {k: v for k, v in to_plain(target).items() if k != "threads"}
    return digest({"model": network.card.name, **_identity(network), "target": asked})


def place_of(facts: RuntimeFacts) -> dict[str, Any]:
    """`RuntimeFacts.place` without the options that follow from one input's shape, as JSON types."""
    options = {k: v for k, v in facts.options.items() if not k.startswith(OF_A_SHAPE)}
    plain: dict[str, Any] = to_plain({**facts.place, "options": options})
    return plain


def golden_size(network: Network, target: Target, px: int = 0) -> tuple[int, int]:
    """Height and width of the golden tiles for this network on this target."""
    from playe_assets.inference.loaded import one_size
    from playe_assets.inference.tiling import up

    card = network.card
    size = card.hyper.get("size")
    if one_size(card):
        return card.tiling.tile, card.tiling.tile
    if card.tiling.mode == "none" and size is not None:
        width, height = size if isinstance(size, (list, tuple)) else (size, size)  # cards write width first
        return int(height), int(width)
    if not px:
        whole = card.tiling.mode == "none"
        px = SIDE_WHOLE if whole else SIDE_CPU if target.device == "cpu" else card.tiling.tile
    side = up(px, card.input.multiple_of)
    return side, side


def _identity(network: Network) -> dict[str, Any]:
    return {
        "weights_sha256": network.card.sha256 or _sha256(network.weights),
        "others_sha256": {k: _sha256(v) for k, v in sorted(network.others.items())},
        "variant": dict(network.variant),
        "graph_sha256": None if network.onnx is None else _sha256(network.onnx),
    }


_digests: dict[tuple[int, int], str] = {}


def _sha256(data: bytes) -> str:
    """The sha256 of `data`, computed once per process: graphs are looked up by every case and may have 500 MB.

    Python's own hash stands in for the bytes; its key is drawn anew in each process, so nobody can aim at it.
    """
    short = (len(data), hash(data))
    if short not in _digests:
        _digests[short] = hashlib.sha256(data).hexdigest()
    return _digests[short]


_places: dict[tuple[Target, str], dict[str, Any]] = {}
_asking = threading.Lock()


def _place_here(network: Network, target: Target, open_session: Opener | None) -> dict[str, Any]:
    """The place of this process; device, driver and versions do not change under a running process."""
    from playe_assets.inference.windowed import samples_of

    if open_session is not None:
        return place_of(open_session(network, target, (1, 1, 1, 1)).facts)
    key = (target, "graph" if network.onnx is not None else "module")
    with _asking:
        if key not in _places:
            height, width = golden_size(network, target)
            shape = (1, samples_of(network.card), height, width)
            _places[key] = place_of(_cached(network, target, shape).facts)
        return _places[key]


def _cached(network: Network, target: Target, shape: tuple[int, int, int, int]) -> Session:
    from playe_assets.inference import sessions

    return sessions.session(network, target, shape)


def _index(there: Path, key: str) -> list[str]:
    try:
        return (there / "index" / key).read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []


def _keep(made: Certificate, there: Path, key: str) -> None:
    """Write the file whole or not at all, then name it in the index; appending a short line is atomic."""
    (there / "index").mkdir(parents=True, exist_ok=True)
    data = canonical_json(made)
    path = there / f"{hashlib.sha256(data).hexdigest()}.json"
    scratch = there / f".{path.name}.{os.getpid()}.{threading.get_ident()}"
    with scratch.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    scratch.replace(path)
    with (there / "index" / key).open("a", encoding="ascii") as index:
        index.write(path.stem + "\n")
