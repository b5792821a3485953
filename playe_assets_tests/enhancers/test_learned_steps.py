"""Learned steps around stand-in networks: when they apply, what they keep, what they measure."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.errors import MissingResourceError, PresetError
from playe_assets.core.params import parse
from playe_assets.enhancers import ENHANCERS
from playe_assets.enhancers.ensemble import EIGHT, eight, turned, turned_back
from playe_assets.enhancers.low_light import tone_curve
from playe_assets.enhancers.noise_level import noise_sigma
from playe_assets_tests.plugins import FACTS, WHERE, scene
from playe_assets_tests.stand_ins import StandIn

COMMON = {"self_ensemble": "off", "ensemble_below_px": 1_000_000, "smooth_radius": 0, "smooth_flow_px": 256,
          "smooth_agreement": 6.0}  # fmt: skip
GIVEN = {
    "super_resolution": {"model": "rlfn_x4", "scale": 2, "denoise": 1.0, "apply_below_px": 2000, **COMMON},
    "denoise_learned": {"model": "dncnn_25", "planes": "luma", "sigma": 0.0, "strength": 1.0, "remove": "noise",
                        "apply_from_sigma": 3.0, "apply_to_sigma": 35.0, "apply_below_px": 1_000_000, **COMMON},
    "deblur": {"model": "nafnet_gopro_64", "strength": 1.0, "apply_below_px": 10_000, **COMMON},
    "artefacts": {"model": "fbcnn_color", "quality": 0, "strength": 1.0, **COMMON},
    "low_light": {"model": "iat_enhance_lol_v1", "apply_below_mean": 55.0, "strength": 1.0, "max_side_px": 64,
                  **COMMON},
}  # fmt: skip


class Formula(StandIn):
    """A network whose `picture` is a formula of its input."""

    def __init__(self, name, answer):
        super().__init__(name)
        self.answer, self.asked = answer, 0

    def picture(self, pixels):
        self.asked += 1
        return self.answer(pixels)


def step(name, answer=None, **changes):
    cls = ENHANCERS.get(name)
    params = parse(cls.Params, {**GIVEN[name], **changes}, WHERE)
    model = Formula(params.model, answer) if answer else StandIn(params.model)
    return cls(params, FACTS, {params.model: model})


def noisy(sigma, level=120, size=(96, 128), channels=1):
    rng = np.random.default_rng(5)
    return np.rint(np.clip(level + rng.normal(0, sigma, (*size, channels)), 0, 255)).astype(np.uint8)


@pytest.mark.parametrize("way", EIGHT)
def test_each_of_the_eight_turns_is_undone(way):
    pixels = scene(9, 14)
    assert np.array_equal(turned_back(turned(pixels, *way), *way), pixels)


def test_the_eight_turns_are_eight_different_pictures():
    assert len({turned(scene(9, 9), *way).tobytes() for way in EIGHT}) == 8


def test_a_step_that_does_not_care_how_a_picture_is_turned_has_no_uncertainty():
    pixels = scene(20, 31)
    answer, spread = eight(lambda x: 255 - x, pixels, mean=True)
    assert np.array_equal(answer, 255 - pixels)
    assert spread.max() == 0.0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_spread_is_the_standard_deviation_of_the_eight_answers_and_the_mean_is_their_mean(dtype):
    pixels = scene(12, 17, 3, dtype)
    network = StandIn("rlfn_x4").picture
    all_eight = np.stack([turned_back(network(turned(pixels, *w)), *w) for w in EIGHT]).astype(float)
    plain, spread = eight(network, pixels, mean=False)
    mean, again = eight(network, pixels, mean=True)
    unit = np.iinfo(dtype).max / 255
    expected = np.sqrt(all_eight.var(axis=0).mean(axis=2)) / unit
    assert np.array_equal(plain, network(pixels))
    np.testing.assert_allclose(spread, expected, atol=2e-3)
    assert np.array_equal(spread, again)
    assert np.abs(mean - all_eight.mean(axis=0)).max() <= 0.51


@pytest.mark.parametrize(("mode", "passes"), [("off", 1), ("variance", 8), ("mean", 8)])
def test_the_self_ensemble_costs_eight_passes_and_gives_the_map_of_uncertainty(mode, passes):
    worker = step("super_resolution", lambda x: x.repeat(4, 0).repeat(4, 1), self_ensemble=mode)
    worker.frame(scene(20, 24))
    assert worker.model.asked == passes == worker.measured()["passes"]
    assert ("uncertainty" in worker.maps()) == (passes == 8)
    assert set(worker.measured()) >= {"applied", "consistency_mean", "consistency_p99"}


def test_a_picture_above_the_limit_of_the_self_ensemble_passes_once_and_says_so():
    worker = step("artefacts", self_ensemble="mean", ensemble_below_px=100)
    worker.frame(scene(20, 24))
    assert worker.measured()["passes"] == 1
    assert set(worker.maps()) == {"consistency"}


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_a_colour_picture_without_colour_stays_without_colour_even_if_the_network_tints(name):
    tint = {"rlfn_x4": 4}.get(GIVEN[name]["model"], 1)

    def tinted(pixels):
        grown = pixels.repeat(tint, 0).repeat(tint, 1) // 2
        grown[:, :, 0] += 40
        return grown

    grey = np.repeat(noisy(6.0, 40), 3, axis=2)
    result = step(
        name, tinted, **({"apply_below_px": 10**6} if "apply_below_px" in GIVEN[name] else {})
    ).frame(grey)
    assert np.array_equal(result[:, :, 0], result[:, :, 1])
    assert np.array_equal(result[:, :, 0], result[:, :, 2])


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_a_step_without_its_model_says_which_one_it_lacks(name):
    cls = ENHANCERS.get(name)
    changes = {"apply_below_mean": 255.0} if name == "low_light" else {}
    worker = cls(parse(cls.Params, {**GIVEN[name], **changes}, WHERE), FACTS)
    with pytest.raises(MissingResourceError, match=str(GIVEN[name]["model"])):
        worker.frame(noisy(10.0, size=(32, 40)))


def test_a_model_of_x4_gives_x2_by_area_average_and_one_of_x2_cannot_give_x4():
    rng = np.random.default_rng(2)
    large = rng.integers(0, 255, (40, 48, 3), np.uint8)
    result = step("super_resolution", lambda x: large).frame(scene(10, 12))
    expected = large.reshape(20, 2, 24, 2, 3).astype(float).mean(axis=(1, 3))
    assert result.shape == (20, 24, 3)
    assert np.abs(result - expected).max() <= 0.5
    with pytest.raises(PresetError, match="realesrgan_x2plus enlarges 2 times"):
        step("super_resolution", model="realesrgan_x2plus", scale=4)


def test_a_large_picture_is_not_enlarged_and_its_planes_keep_their_size():
    worker = step("super_resolution")
    large, small = scene(50, 60), scene(30, 20)
    assert np.array_equal(worker.frame(large), large)
    assert worker.measured() == {"applied": 0.0}
    assert worker.maps() == {}
    assert worker.plane(large[:, :, :1]).shape == (50, 60, 1)
    alpha = worker.plane(small[:, :, :1])
    assert np.array_equal(alpha, small[:, :, :1].repeat(2, 0).repeat(2, 1))


def test_what_changes_the_network_travels_with_the_use_of_the_model():
    use = {name: ENHANCERS.get(name) for name in GIVEN}

    def variant(name, **changes):
        params = parse(use[name].Params, {**GIVEN[name], **changes}, WHERE)
        (need,) = use[name].needs(params)
        assert need.name == params.model
        return dict(need.variant)

    assert variant("super_resolution") == {}
    assert variant("super_resolution", denoise=0.25) == {"denoise": 0.25}
    assert variant("denoise_learned") == {}
    assert variant("denoise_learned", model="drunet_color", sigma=12.0) == {"sigma": 12.0}
    assert variant("artefacts") == {"quality": 0.0}
    assert variant("artefacts", quality=35) == {"quality": 35.0}
    assert variant("deblur") == variant("low_light") == {}


@pytest.mark.parametrize("sigma", [2.0, 6.0, 15.0, 30.0])
def test_white_noise_is_estimated_within_a_tenth_and_a_clean_gradient_or_page_has_none(sigma):
    assert noise_sigma(noisy(sigma)) == pytest.approx(sigma, rel=0.1, abs=0.3)
    sixteen = noisy(sigma).astype(np.uint16) * 257
    assert noise_sigma(sixteen) == pytest.approx(noise_sigma(noisy(sigma)), rel=1e-3)
    ramp = np.tile(np.linspace(20, 230, 256).astype(np.uint8)[:, None], (1, 64))[:, :, None]
    assert noise_sigma(ramp) < 0.5
    page = np.where(np.random.default_rng(1).random((200, 160, 1)) < 0.05, 0, 255).astype(np.uint8)
    page[:, 40:] = 255
    assert noise_sigma(page) == 0.0
    assert noise_sigma(page[:5]) == 0.0


@pytest.mark.parametrize("sigma", [0.0, 2.0, 45.0])
def test_pictures_cleaner_or_noisier_than_the_network_is_for_are_left_alone(sigma):
    pixels = noisy(sigma)
    worker = step("denoise_learned")
    assert np.array_equal(worker.frame(pixels), pixels)
    assert worker.measured()["applied"] == 0.0
    assert worker.measured()["noise_sigma_mean"] == pytest.approx(sigma, rel=0.1)


def test_no_more_is_taken_away_than_the_noise_that_was_estimated():
    pixels = noisy(6.0)
    flat = np.full_like(pixels, 120)
    gone = step("denoise_learned", lambda x: np.zeros_like(x)).frame(pixels)
    assert gone.mean() > 115  # a network that would take everything
    kept = step("denoise_learned", lambda x: np.full_like(x, 120)).frame(pixels)
    assert np.abs(kept.astype(int) - flat).mean() < 0.25 * 6.0
    everything = step("denoise_learned", lambda x: np.zeros_like(x), remove="all").frame(pixels)
    assert everything.max() == 0


def test_noise_alone_taken_away_is_no_disagreement_but_a_line_taken_away_is():
    pixels = noisy(6.0)
    worker = step("denoise_learned", lambda x: np.full_like(x, 120), remove="all")
    worker.frame(pixels)
    assert worker.measured()["consistency_mean"] < 0.3
    pixels[40:44] = 200
    worker.frame(pixels)
    there = worker.maps()["consistency"]
    assert there[40:44].min() == 255 and np.median(there[60:]) == 0


def test_dark_pictures_are_brightened_and_others_and_black_bars_are_not():
    dark, bright = noisy(3.0, 30), noisy(3.0, 90)
    double = lambda x: np.minimum(x.astype(int) * 2, 255).astype(np.uint8)  # noqa: E731
    assert np.array_equal(step("low_light", double).frame(bright), bright)
    barred = np.pad(bright, ((100, 100), (0, 0), (0, 0)))
    assert np.array_equal(step("low_light", double).frame(barred), barred)
    assert step("low_light", double, max_side_px=128).frame(dark).mean() == pytest.approx(60, abs=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_large_dark_picture_gets_the_networks_tone_and_keeps_its_own_detail(dtype):
    unit = np.iinfo(dtype).max // 255
    pixels = (scene(200, 300, 3, np.uint8) // 4).astype(dtype) * unit
    lifted = lambda x: (x * 2.5 + 10 * unit).astype(dtype)  # noqa: E731
    worker = step("low_light", lifted)
    result = worker.frame(pixels)
    assert np.abs(result.astype(float) - (pixels * 2.5 + 10 * unit)).mean() / unit < 1.5
    # Brightness is no disagreement with the evidence; structure would be.
    assert worker.measured()["consistency_mean"] < 0.5


def test_the_tone_curve_of_a_straight_line_is_that_line():
    before = scene(64, 80, 3, np.uint8)
    offset, slope = tone_curve(before, (before * 0.5 + 20).astype(np.uint8))
    assert np.abs(slope - 0.5).max() < 0.05
    assert np.abs(offset - 20).max() < 5


def test_a_clip_states_the_share_of_its_frames_that_were_changed():
    worker = step("super_resolution", apply_below_px=10_000)
    frames = [
        Frame(i, i, scene(20, 24, seed=i), side={"plane": np.full((20, 24, 1), i, np.uint8)})
        for i in range(3)
    ]
    for frame in worker.stream(iter(frames)):
        assert frame.pixels.shape == (40, 48, 3)
        assert frame.side["plane"].shape == (40, 48, 1) and set(np.unique(frame.side["plane"])) == {
            frame.index
        }
    assert worker.measured()["applied"] == 1.0
    denoiser = step("denoise_learned")
    list(denoiser.stream(Frame(i, i, noisy(10.0 if i else 0.5)) for i in range(4)))
    assert denoiser.measured()["applied"] == 0.75


def test_the_networks_own_estimate_of_the_quality_is_noted():
    class Estimating(StandIn):
        def batch(self, *inputs):
            assert inputs[0].shape[1] == 3 and not any(side % 8 for side in inputs[0].shape[2:])
            return [inputs[0], np.full((1, 1), 37.0, np.float32)]

    cls = ENHANCERS.get("artefacts")
    for pixels in (scene(19, 33), scene(300, 420, 1, np.uint16)):
        worker = cls(
            parse(cls.Params, GIVEN["artefacts"], WHERE), FACTS, {"fbcnn_color": Estimating("fbcnn_color")}
        )
        worker.frame(pixels)
        assert worker.measured()["quality_estimated"] == 37.0
