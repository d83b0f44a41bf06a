"""What the host draws: pure, in range, one stream an effect, and colours that mean what they say."""

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.data import Augmentation
from desertseg.data.desert_light import find_sky
from desertseg.data.photometric import compose_color, draw_photometric
from desertseg.labels import LabelClass, LabelMap

SIZE = (48, 80)
EFFECTS = {
    "brightness": ((0.5, 1.5), {"color"}),
    "gamma": ((0.5, 2.0), {"gamma"}),
    "blur": (0.5, {"blur"}),
    "noise": (0.5, {"noise", "noise_offset"}),
    "clahe": (0.5, {"clahe"}),
    "shadow": (0.5, {"shadow", "shadow_field", "sky"}),
    "haze": (0.5, {"haze", "haze_field", "sky"}),
    "glare": (0.5, {"glare", "sky"}),
    "tint": (0.5, {"tint", "tint_weights"}),
}
EVERYTHING = Augmentation(**{name: value for name, (value, _) in EFFECTS.items()})


def draw(augmentation, seed=0, epoch=0, sample=0, labels=None, size=SIZE):
    return draw_photometric(augmentation, labels, seed, epoch, sample, size)


def test_nothing_is_drawn_by_default():
    assert draw(Augmentation()) == {}


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_effect_brings_its_own_keys_and_draws_from_its_own_stream(effect, falcon):
    value, keys = EFFECTS[effect]
    for sample in range(4):
        alone = draw(Augmentation(**{effect: value}), sample=sample, labels=falcon)
        together = draw(EVERYTHING, sample=sample, labels=falcon)
        assert set(alone) == keys
        for key in keys:
            np.testing.assert_array_equal(alone[key], together[key])


@settings(max_examples=10, deadline=None, derandomize=True)
@given(place=st.tuples(*[st.integers(0, 1000)] * 3), height=st.integers(1, 60), width=st.integers(1, 60))
def test_draws_are_pure_finite_and_of_one_shape(place, height, width):
    size = height, width
    first, again = (draw(EVERYTHING, *place, size=size) for _ in range(2))
    other = draw(EVERYTHING, place[0] + 1, *place[1:], size=size)
    for key, value in first.items():
        np.testing.assert_array_equal(value, again[key])
        assert value.dtype in (np.float32, np.int32)
        assert np.isfinite(value).all()
        assert (value.shape, value.dtype) == (other[key].shape, other[key].dtype)


def test_probabilities_and_ranges_hold():
    names = ("blur", "noise", "clahe", "shadow", "haze", "glare", "tint")
    augmentation = Augmentation(**dict.fromkeys(names, 0.3), gamma=(0.8, 1.25), color=0.3)
    drawn = [draw(augmentation, sample=sample, size=(8, 12)) for sample in range(400)]
    strength = {
        "blur": [d["blur"][0] < 1 for d in drawn],
        "gamma": [d["gamma"] != 1 for d in drawn],
        "shadow": [d["shadow"][0] for d in drawn],
        "haze": [d["haze"][3] for d in drawn],
        "glare": [d["glare"][6] for d in drawn],
        "tint": [d["tint"][3] for d in drawn],
        **{key: [d[key] for d in drawn] for key in ("noise", "clahe")},
    }
    for name, values in strength.items():
        acting = np.array(values, float)[np.array(values) != 0]
        assert 0.22 < len(acting) / len(drawn) < 0.38, name
        low, high = {"noise": (2, 12), "clahe": (1, 4)}.get(name, getattr(augmentation, f"{name}_strength", (1, 1)))
        assert low - 1e-6 <= acting.min() <= acting.max() <= high + 1e-6, name
    gammas = np.array([d["gamma"] for d in drawn])
    assert 0.8 <= gammas.min() < 0.9 < 1.1 < gammas.max() <= 1.25


def test_the_blur_kernel_sums_to_1_and_has_the_width_that_was_asked_for():
    augmentation = Augmentation(blur=1.0, blur_sigma=(1.2, 1.2))
    kernel = draw(augmentation)["blur"].astype(float)
    assert len(kernel) == 5
    assert kernel[0] + 2 * kernel[1:].sum() == pytest.approx(1)
    variance = 2 * (np.arange(5) ** 2 * kernel).sum()
    assert np.sqrt(variance) == pytest.approx(1.2, rel=0.01)


GRAY = np.array([0.299, 0.587, 0.114])


def test_colours_are_changed_in_order_contrast_brightness_saturation():
    matrix = compose_color(1.2, 0.7, 0.5, 0)
    rgb = np.array([30.0, 120, 200])
    expected = ((rgb - 127.5) * 0.7 + 127.5) * 1.2
    expected = expected @ GRAY + 0.5 * (expected - expected @ GRAY)
    np.testing.assert_allclose(matrix @ [*rgb, 1], expected)
    np.testing.assert_allclose(compose_color(1, 1, 1, 0), np.eye(3, 4), atol=1e-12)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(turns=st.tuples(st.floats(-180, 180), st.floats(-180, 180)))
def test_turns_of_the_hue_add_up_and_keep_the_luminance(turns):
    one, two = (compose_color(1, 1, 1, turn)[:, :3] for turn in turns)
    np.testing.assert_allclose(two @ one, compose_color(1, 1, 1, sum(turns))[:, :3], atol=1e-9)
    np.testing.assert_allclose(GRAY @ one, GRAY, atol=1e-9)
    np.testing.assert_allclose(one @ np.ones(3), np.ones(3), atol=1e-9)


def test_the_hue_turns_as_hsv_counts_it():
    red = np.array([0.7, 0.5, 0.5])
    for degrees in (60, 120, -120):
        turned = compose_color(1, 1, 1, degrees)[:, :3] @ red
        assert colorsys.rgb_to_hsv(*turned)[0] == pytest.approx(degrees / 360 % 1)


def test_the_tint_spares_the_sky_and_most_of_the_plants(falcon):
    weights = draw(Augmentation(tint=1.0), labels=falcon)["tint_weights"]
    by_name = dict(zip(falcon.names, weights, strict=False))
    assert by_name["Sky"] == 0
    assert by_name["Landscape"] == by_name["Rocks"] == 1
    assert 0 < by_name["Trees"] < by_name["Dry Grass"] < 1
    assert weights[255] == 1


def test_the_sky_is_found_by_name(falcon):
    assert find_sky(falcon) == 9
    assert find_sky(None) == -1
    lower = LabelMap("x", (LabelClass("ground", (1,), (0, 0, 0)), LabelClass("sky", (2,), (1, 1, 1))))
    assert find_sky(lower) == 1
    assert draw(Augmentation(haze=1.0), labels=lower)["sky"] == 1


def test_a_shadow_covers_a_part_of_the_picture_and_takes_less_blue_than_red():
    augmentation = Augmentation(shadow=1.0)
    for sample in range(30):
        drawn = draw(augmentation, sample=sample, size=(96, 160))
        red, green, blue, _ = drawn["shadow"]
        assert 0.3 <= red <= 0.7
        assert red > green > blue > 0.6 * red
        assert 0.005 < (drawn["shadow_field"] > 0).mean() < 0.8


def test_dust_thickens_and_thins_about_its_mean():
    fields = [draw(Augmentation(haze=1.0), sample=sample)["haze_field"] for sample in range(40)]
    assert np.mean(fields) == pytest.approx(1, abs=0.05)
    assert min(f.std() for f in fields) > 0.02
