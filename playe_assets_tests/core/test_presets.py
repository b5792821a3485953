"""The shipped presets load, check against their plug-ins and have the digests that were approved."""

from __future__ import annotations

import hashlib

import pytest

from playe_assets.core.errors import PresetError
from playe_assets.core.presets import FOLDER, load_preset, parse_preset, preset_names
from playe_assets.core.values import AiClass, MediaKind
from playe_assets.examination.case_file import DEFAULT_PRESET
from playe_assets.examination.plan import check
from playe_assets.gates.metrics_present import MAIN_KINDS

DIGESTS = {
    "balanced": ("3.0", "fidelity", "61c0ef950251072d9378c109ca019c5a4fd8b51f10738fbc91547844ab243028"),
    "forensic_safe": ("2.0", "none", "117c72fcca6f7f24f047038412d3e0692597265d1370667679931a5fc2080511"),
    "presentation": ("3.0", "generative", "e95d0cc999ebcb6ebdc55912f872485cb6562e488643add519f6463bbb78c761"),
}
"""Change a line here only together with the preset's version: reports of the old one must stay repeatable."""
RAW = (FOLDER / "forensic_safe.yaml").read_bytes()


def _changed(old: str, new: str) -> bytes:
    assert RAW.count(old.encode()) >= 1, old
    return RAW.replace(old.encode(), new.encode(), 1)


def _line(text: str) -> int:
    return next(i for i, line in enumerate(RAW.decode().splitlines(), 1) if text in line)


def test_the_presets_are_those_that_were_approved_byte_by_byte():
    found = {n: (p.version, p.max_ai_class.value, p.sha256) for n in preset_names() for p in [load_preset(n)]}
    assert found == DIGESTS


@pytest.mark.parametrize("name", preset_names())
def test_every_shipped_preset_checks_against_its_plug_ins(name):
    made = check(load_preset(name))
    assert made.preset.name == name
    assert set(made.steps) == set(MediaKind)
    assert made.metrics
    assert made.preset.thresholds
    for language in ("en", "ru"):
        assert made.preset.title[language]
        assert made.preset.description[language]
    for kind in MediaKind:
        # Fields are lines of the stored picture: a clip is deinterlaced before it is turned.
        first = [s.cls.name for s in made.steps[kind]][: 2 if kind is MediaKind.CLIP else 1]
        assert first == (["deinterlace", "orient"] if kind is MediaKind.CLIP else ["orient"])
        assert all(s.cls.ai_class.rank <= made.preset.max_ai_class.rank for s in made.steps[kind])


def test_forensic_safe_is_the_default_needs_no_weights_and_no_step_may_invent_anything():
    assert DEFAULT_PRESET == "forensic_safe"
    made = check(load_preset("forensic_safe"))
    assert made.preset.max_ai_class is AiClass.NONE
    assert {s.cls.ai_class for steps in made.steps.values() for s in steps} == {AiClass.NONE}
    assert [need for found in made.detectors.values() for d in found for need in d.needs] == []


def test_the_digest_is_that_of_the_files_bytes():
    assert load_preset("forensic_safe").ref.sha256 == hashlib.sha256(RAW).hexdigest()


def test_an_unknown_preset_lists_those_that_there_are():
    with pytest.raises(PresetError) as caught:
        load_preset("../forensic_safe")
    assert "Known: balanced, forensic_safe, presentation." in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "code", "near", "allowed"),
    [
        ("name: forensic_safe", "nmae: forensic_safe", "preset.unknown_key", "name: forensic_safe", "name"),
        (
            "max_ai_class: none",
            "max_ai_class: some",
            "preset.out_of_range",
            "max_ai_class",
            "none | fidelity",
        ),
        (
            "schema: playe-preset/2",
            "schema: playe-preset/9",
            "preset.out_of_range",
            "schema:",
            "playe-preset/2",
        ),
        ("{h_luma: 4.0,", "{h_lumma: 4.0,", "preset.unknown_key", "h_luma: 4.0", "h_luma"),
        ("h_luma: 4.0, ", "", "preset.missing_key", "h_luma: 4.0", "float from"),
        ("h_luma: 4.0", "h_luma: 4000", "preset.out_of_range", "h_luma: 4.0", "float from"),
        ("h_luma: 4.0", "h_luma: strong", "preset.out_of_range", "h_luma: 4.0", "float from"),
        ("template_px: 7", "template_px: 6", "preset.out_of_range", "template_px: 7", "odd"),
        ("every_s: 1.0", "every_s: 0", "preset.out_of_range", "every_s: 1.0", "0.02 to 60"),
        ("  png_compression: 3", "  png_compression: 10", "preset.out_of_range", "png_compression", "0 to 9"),
        ("  proxy_crf: 18\n", "", "preset.missing_key", "png_compression", "0 to 51"),
        (
            "on_fail: withhold",
            "on_fail: ignore",
            "preset.out_of_range",
            "on_fail: withhold",
            "withhold | warn",
        ),
        ("low: 24.0", "low: high", "preset.out_of_range", "low: 24.0", "a number"),
        ("media: clip", "media: film", "preset.out_of_range", "media: clip", "photo | clip"),
    ],
)
def test_a_wrong_preset_is_refused_with_file_line_and_what_is_allowed(old, new, code, near, allowed):
    with pytest.raises(PresetError) as caught:
        check(parse_preset(_changed(old, new), "changed.yaml"))
    assert caught.value.code == code
    assert f"changed.yaml, line {_line(near)}:" in str(caught.value)
    assert f"changed.yaml, строка {_line(near)}:" in caught.value.message("ru")
    assert allowed in caught.value.facts["allowed"]


@pytest.mark.parametrize("key", ["schema", "photo", "detectors", "compare", "output", "gates", "version"])
def test_a_preset_without_one_of_its_parts_is_refused_by_its_name(key):
    lines = RAW.decode().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{key}:"))
    end = next((i for i in range(start + 1, len(lines)) if lines[i][:1].isalpha()), len(lines))
    with pytest.raises(PresetError) as caught:
        parse_preset("\n".join(lines[:start] + lines[end:]).encode(), "cut.yaml")
    assert (caught.value.code, caught.value.facts["key"]) == ("preset.missing_key", key)


def test_an_unknown_plug_in_lists_those_that_there_are():
    with pytest.raises(PresetError) as caught:
        check(parse_preset(_changed("use: nlm", "use: magic"), "changed.yaml"))
    assert caught.value.code == "registry.unknown"
    assert "nlm" in caught.value.facts["known"]


def test_a_step_on_the_wrong_kind_of_media_is_refused():
    with pytest.raises(PresetError) as caught:
        check(parse_preset(_changed("use: local_contrast", "use: fusion"), "changed.yaml"))
    assert (caught.value.code, caught.value.facts["media"]) == ("preset.wrong_media", "photo")


def test_a_gate_on_a_column_that_nothing_measures_is_refused():
    with pytest.raises(PresetError) as caught:
        check(parse_preset(_changed("column: consistency_psnr", "column: beauty"), "changed.yaml"))
    assert caught.value.code == "preset.no_such_column"
    assert "consistency_psnr" in str(caught.value)


def test_the_main_kinds_that_are_measured_are_those_that_a_gate_asks_for():
    from playe_assets.examination.measure import MAIN_KINDS as MEASURED

    assert MEASURED == MAIN_KINDS
