"""What the contract suites share: pictures made by formula, and plug-ins built as the presets write them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from playe_assets.core.canonical import from_plain, to_plain
from playe_assets.core.params import Where, parse
from playe_assets.core.presets import load_preset, preset_names
from playe_assets.core.registry import Registry
from playe_assets.core.values import MediaKind, StreamFacts

FACTS = StreamFacts("test", "test", "rgb24", 8, 0, 0)
WHERE = Where("test.yaml", 1, "test")


def scene(height: int, width: int, channels: int = 3, dtype: Any = np.uint8, seed: int = 1) -> Any:
    """Smooth hills, hard edges and a little noise over the whole range of `dtype`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    layers = []
    for channel in range(channels):
        hills = np.sin(x / (7 + channel)) * np.cos(y / (9 + 2 * channel))
        edges = ((x // 23 + y // 17) % 2) - 0.5
        layers.append(0.5 + 0.25 * hills + 0.3 * edges + rng.normal(0, 0.02, x.shape))
    top = np.iinfo(dtype).max
    return np.rint(np.clip(np.stack(layers, axis=2), 0, 1) * top).astype(dtype)


def with_size(pixels: Any, facts: StreamFacts = FACTS) -> StreamFacts:
    """`facts` that state the stored size of `pixels`."""
    return dataclasses.replace(facts, height=pixels.shape[0], width=pixels.shape[1])


def presets_params(kind: str, name: str, cls: type) -> list[Any]:
    """Every set of parameters that a shipped preset gives to the plug-in `name`."""
    found = []
    for preset_name in preset_names():
        preset = load_preset(preset_name)
        uses = {
            "enhancer": [u for m in MediaKind for u in preset.steps[m]],
            "detector": [u for m in MediaKind for u in preset.detectors[m]],
            "metric": list(preset.metrics),
        }[kind]
        found += [parse(cls, use.given, use.where) for use in uses if use.name == name]
    return list(dict.fromkeys(found))


def out_of_range(params: Any) -> list[tuple[str, Any]]:
    """For each field of `params` one value just outside what it allows."""
    bad: list[tuple[str, Any]] = []
    for field in dataclasses.fields(params):
        meta = field.metadata
        if "choices" in meta:
            bad.append((field.name, "no such choice"))
        elif "numbers" in meta:
            bad += [(field.name, min(meta["numbers"]) - 1), (field.name, max(meta["numbers"]) + 1)]
            bad.append((field.name, "8"))
        elif "flag" in meta:
            bad.append((field.name, 1))
        elif "tasks" in meta:
            bad += [(field.name, "No such name"), (field.name, 4)]
        else:
            bad += [(field.name, meta["ge"] - 1), (field.name, meta["le"] + 1), (field.name, "3")]
    return bad


def rebuilt(params: Any, key: str, value: Any) -> Any:
    """`params` parsed again with one value replaced, as if a person had written it."""
    return parse(type(params), {**to_plain(params), key: value}, WHERE)


def survives_the_record(params: Any) -> bool:
    """Whether the parameters come back equal from their canonical JSON."""
    return bool(from_plain(type(params), to_plain(params)) == params)


def heavy_modules_after_listing(module: str, name: str) -> set[str]:
    """Which heavy libraries are loaded after `module`'s registry `name` was imported and listed."""
    code = (
        f"import sys; from {module} import {name}; {name}.names();"
        "print([m for m in ('cv2','skimage','av','PIL','pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(eval(done.stdout))


def files_beside(registry: Registry[Any]) -> set[Path]:
    """The modules that the registry's lines name."""
    return {Path(sys.modules[registry.get(n).__module__].__file__ or "") for n in registry}
