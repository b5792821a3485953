"""Model cards: what the shipped registry holds, and what a wrong card is told."""

from __future__ import annotations

import pytest

from playe_assets.core.errors import CommandError, InputError
from playe_assets.core.values import AiClass
from playe_assets.examination.settings import PROJECT_ROOT
from playe_assets.inference.architectures import ARCHITECTURES
from playe_assets.inference.cards import model_cards, read_cards
from playe_assets_tests.inference.sample_cards import made_card, plain_card, registry_text, write_registry

CARDS = model_cards(PROJECT_ROOT / "models-data" / "registry.yaml")
PROMISED = """
    realesrgan_x4plus realesrgan_x2plus realesrnet_x4plus realesr_general_x4v3 realesr_general_wdn_x4v3
    realesr_animevideov3 gfpgan_1_4 codeformer restoreformer nafnet_sidd_64 nafnet_gopro_64 nafnet_reds_64
    restormer_motion_deblurring scunet_psnr fbcnn_color drunet_color swinir_m_x4_psnr swinir_l_x4_psnr
    yolov8n yolov8m yolov8n_face retinaface_resnet50 retinaface_mobilenet025 yunet_2023mar sface_2021dec
    lpips_alex lpips_vgg dists niqe brisque_live brisque_live_range
    dncnn_25 rlfn_x4 iat_enhance_lol_v1 iat_enhance_exposure ultraface_rfb320 fastestdet
""".split()  # noqa: SIM905 - a list literal would be one name a line


def test_every_model_that_was_promised_has_a_card():
    assert set(PROMISED) <= set(CARDS)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_shipped_card_states_what_proves_it_where_it_lies_and_how_it_is_cut(card):
    assert card.url.startswith("https://")
    assert all(m.startswith("https://") for m in card.mirrors)
    assert (card.sha256 is None) == (card.sha256_status == "unknown")
    assert card.sha256 is None or len(bytes.fromhex(card.sha256)) == 32
    assert card.licence == card.licence.strip()
    assert "\n" not in card.licence
    assert card.commercial_use != "conditions" or card.notes, "the notes say which conditions"
    tiling = card.tiling
    if tiling.mode == "none":
        assert (tiling.tile, tiling.border) == (0, 0)
    else:
        assert tiling.tile % card.input.multiple_of == 0
        assert tiling.tile > 2 * tiling.border > 0
    other = card.hyper.get("blend_with")
    assert other is None or other in CARDS
    for key in ("backbone", "range_from"):
        named = str(card.hyper.get(key, ""))
        assert key != "range_from" or not named or named in CARDS
        assert not named.endswith("imagenet") or named in CARDS


def test_a_restorer_of_faces_and_whatever_was_trained_against_a_critic_is_generative():
    by_class = {c: {n for n, card in CARDS.items() if card.ai_class is c} for c in AiClass}
    assert {
        "gfpgan_1_4",
        "codeformer",
        "restoreformer",
        "realesrgan_x4plus",
        "realesr_general_x4v3",
    } <= by_class[AiClass.GENERATIVE]
    assert {"realesrnet_x4plus", "swinir_m_x4_psnr", "nafnet_sidd_64", "dncnn_25"} <= by_class[
        AiClass.FIDELITY
    ]
    assert {"yolov8n", "yunet_2023mar", "sface_2021dec", "niqe"} <= by_class[AiClass.NONE]
    assert all(
        "GAN" in card.notes or card.task == "face restoration"
        for card in CARDS.values()
        if card.ai_class is AiClass.GENERATIVE
    )


def test_what_may_not_be_used_commercially_needs_an_acceptance():
    assert {n for n, c in CARDS.items() if c.commercial_use == "no"} == {"gfpgan_1_4", "codeformer"}
    assert all(
        CARDS[n].restricted for n in ("gfpgan_1_4", "codeformer", "yolov8n", "restormer_motion_deblurring")
    )
    assert not CARDS["yunet_2023mar"].restricted


def test_every_network_that_torch_builds_has_its_architecture_here():
    names = {c.architecture.split()[0] for c in CARDS.values() if c.format == "pth" and c.extra != "yolo"}
    assert names <= set(ARCHITECTURES)


def test_the_cards_of_small_weights_name_the_files_of_the_laboratory_s_test_data(shared_data):
    import hashlib

    there = {
        hashlib.sha256(p.read_bytes()).hexdigest()
        for folder in ("weights", "metrics")
        for p in (shared_data / folder).rglob("*")
        if p.is_file() and p.suffix in (".pth", ".onnx", ".npz", ".yml")
    }
    known = {n for n, c in CARDS.items() if c.sha256 in there}
    assert known >= {
        "dncnn_25", "rlfn_x4", "iat_enhance_lol_v1", "iat_enhance_exposure", "yunet_2023mar",
        "yunet_n_dynamic", "retinaface_mobilenet025_port", "ultraface_rfb320", "fastestdet", "niqe",
        "brisque_live", "brisque_live_range",
    }  # fmt: skip


def refused(**changed):
    with pytest.raises(InputError) as caught:
        made_card(**changed)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"file": "../../etc/passwd"}, "file of the model card is '../../etc/passwd'"),
        ({"file": "/etc/passwd"}, "the plain name of a file"),
        ({"file": ".hidden"}, "the plain name of a file"),
        ({"name": "Made Up"}, "lower-case letters, digits and _"),
        ({"sha256": "abc"}, "64 hexadecimal digits, or null"),
        ({"bytes": "many"}, "a whole number of bytes, or null"),
        ({"bytes": 0}, "a whole number of bytes, or null"),
        ({"licence": ""}, "licence of the model card is ''"),
        ({"mirrors": "https://example.org"}, "a list of addresses"),
        ({"input": "rgb"}, "range, order, multiple_of"),
        ({"format": "pickle"}, "onnx | pth | safetensors | data"),
        ({"commercial_use": "maybe"}, "yes | no | conditions"),
        ({"ai_class": "clever"}, "none | fidelity | generative"),
        ({"scale": 5}, "1 | 2 | 3 | 4"),
        ({"colour": "red"}, "a model card has no key 'colour'"),
        ({"tiling": {"mode": "none", "tile": 0, "border": 0}}, "local_statistics"),
    ],
)  # fmt: skip
def test_a_wrong_card_is_told_the_file_the_value_and_what_is_allowed(changed, told):
    said = refused(**changed)
    assert told in said
    assert said.startswith("test.yaml, line ")


def test_a_card_that_lacks_a_key_names_it():
    card = plain_card()
    del card["licence"]
    with pytest.raises(CommandError, match="lacks 'licence'"):
        read_cards(registry_text(card), "test.yaml")


def test_a_registry_of_another_version_is_refused():
    with pytest.raises(CommandError, match="playe-models/1"):
        read_cards(registry_text(plain_card(), schema="playe-models/1"), "test.yaml")
    with pytest.raises(CommandError, match="a list of cards"):
        read_cards("schema: playe-models/2\nmodels: many\n", "test.yaml")


def test_the_laboratory_s_own_cards_stand_beside_the_registry_s_and_may_not_replace_one(tmp_path):
    registry = write_registry(tmp_path / "registry.yaml", plain_card())
    own = tmp_path / "cards.yaml"
    assert set(model_cards(registry, own)) == {"made_up"}
    write_registry(own, plain_card(name="ours", file="ours.onnx"))
    assert set(model_cards(registry, own)) == {"made_up", "ours"}
    write_registry(own, plain_card(file="ours.onnx"))
    with pytest.raises(CommandError, match="there already"):
        model_cards(registry, own)
    write_registry(own, plain_card(name="ours"))
    with pytest.raises(CommandError, match=r"made_up\.onnx, as the card made_up does"):
        model_cards(registry, own)


@pytest.mark.parametrize(
    "changed",
    [{"ai_class": "none"}, {"scale": 2}, {"architecture": "RLFN"}, {"hyper": {"low_pass_px": 8}},
     {"input": {"range": "0..1", "order": "bgr", "multiple_of": 1}},
     {"tiling": {"mode": "halo", "tile": 64, "border": 4, "local_statistics": False}}],
)  # fmt: skip
def test_a_card_that_runs_or_labels_its_bytes_otherwise_has_other_facts(changed):
    assert made_card(**changed).facts_sha256 != made_card().facts_sha256
    assert made_card(title="Other", notes="more", url="https://example.org/b").facts_sha256 == (
        made_card().facts_sha256
    )
