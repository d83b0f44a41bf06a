from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.data import Augmentation, Box, DataError

few = settings(max_examples=60, deadline=None, derandomize=True)
sides = st.integers(8, 400)
sizes = st.tuples(sides, sides)
boxes = st.builds(Box, st.integers(0, 9), st.integers(0, 9), sides, sides)
numbers = st.tuples(st.integers(0, 9), st.integers(0, 99), st.integers(0, 999))


def draw(
    augmentation: Augmentation, number: tuple[int, int, int], box: Box, size: tuple[int, int], **options
) -> np.ndarray:
    load_size = box.top + box.height + 3, box.left + box.width + 5
    return augmentation.draw(*number, load_size, size, box=box, **options)["affine"]


def corners(affine: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """x and y in the canvas of the output's outermost pixel centres."""
    x = affine[0, 0] * np.array([0, size[1] - 1]) + affine[0, 2]
    y = affine[1, 1] * np.array([0, size[0] - 1]) + affine[1, 2]
    return np.sort(x), np.sort(y)


@few
@given(numbers, sizes)
def test_nothing_to_do_is_the_identity(number: tuple[int, int, int], size: tuple[int, int]) -> None:
    affine = Augmentation(flip=0, scale=(1, 1)).draw(*number, size, size)["affine"]
    assert affine.dtype == np.float32
    np.testing.assert_allclose(affine, [[1, 0, 0], [0, 1, 0]], atol=1e-12)


@few
@given(numbers, sizes)
def test_a_certain_flip_is_the_mirror(number: tuple[int, int, int], size: tuple[int, int]) -> None:
    affine = Augmentation(flip=1, scale=(1, 1)).draw(*number, size, size)["affine"]
    np.testing.assert_allclose(affine, [[-1, 0, size[1] - 1], [0, 1, 0]], atol=1e-12)


@few
@given(numbers, boxes, sizes)
def test_the_draw_is_a_pure_function_of_its_numbers(
    number: tuple[int, int, int], box: Box, size: tuple[int, int]
) -> None:
    augmentation = Augmentation()
    first = draw(augmentation, number, box, size)
    np.testing.assert_array_equal(first, draw(augmentation, number, box, size))
    for i in range(3):
        other = [*number]
        other[i] += 1
        assert not np.array_equal(first, draw(augmentation, tuple(other), box, size))


@few
@given(numbers, boxes, sizes, st.sampled_from(["letterbox", "stretch"]), st.floats(0.3, 3))
def test_crop_lies_in_the_frame_or_frame_in_the_crop(
    number: tuple[int, int, int], box: Box, size: tuple[int, int], resize: str, scale: float
) -> None:
    affine = draw(Augmentation(flip=0.5, scale=(scale, scale)), number, box, size, resize=resize)
    fits = np.array([size[0] / box.height, size[1] / box.width])
    zoom = scale * (fits if resize == "stretch" else np.full(2, fits.min()))
    np.testing.assert_allclose([affine[1, 1], abs(affine[0, 0])], 1 / zoom, rtol=1e-5)
    assert affine[0, 1] == affine[1, 0] == 0
    x, y = corners(affine, size)
    spans = ((y, box.top, box.height, size[0], zoom[0]), (x, box.left, box.width, size[1], zoom[1]))
    for span, start, length, target, axis_zoom in spans:
        low, high = span[0] - 0.5 / axis_zoom, span[1] + 0.5 / axis_zoom  # the output's edges, in the canvas
        tolerance = 1e-3 * length / min(1, axis_zoom)  # float32
        if length * axis_zoom >= target:
            assert low >= start - 0.5 - tolerance
            assert high <= start + length - 0.5 + tolerance
        else:
            assert low <= start - 0.5 + tolerance
            assert high >= start + length - 0.5 - tolerance


def test_scales_are_log_uniform_and_flips_as_often_as_told() -> None:
    augmentation = Augmentation(flip=0.3, scale=(0.5, 2.0))
    affines = np.array([augmentation.draw(0, 0, i, (100, 100), (100, 100))["affine"] for i in range(2000)])
    logs = -np.log2(affines[:, 1, 1])
    assert -1 <= logs.min() < -0.99
    assert 0.99 < logs.max() <= 1
    assert abs(logs.mean()) < 0.05  # its standard deviation is 0.013
    assert abs((affines[:, 0, 0] < 0).mean() - 0.3) < 0.05  # likewise 0.010
    tall = np.array([augmentation.draw(0, 0, i, (100, 100), (50, 100))["affine"] for i in range(500)])
    assert np.std(tall[:, 1, 2]) > 1  # the place is drawn too


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": -0.1}, "flip is -0.1; it is a probability, 0 to 1"),
        ({"haze": 1.1}, "haze is 1.1; it is a probability, 0 to 1"),
        ({"noise": float("nan")}, "noise is nan; it is a probability"),
        ({"rotate": -5}, "rotate is -5; it is an angle in degrees, 0 to 180"),
        ({"shear": 80}, "shear is 80; it is an angle in degrees, 0 to 60"),
        ({"scale": (0, 1)}, r"scale is \(0, 1\); give \(lowest, highest\), both above 0"),
        ({"scale": (2, 1)}, r"scale is \(2, 1\)"),
        ({"scale": (1,)}, r"scale is \(1,\)"),
        ({"gamma": (1, float("inf"))}, "gamma is"),
        ({"blur_sigma": (-1, 1)}, r"blur_sigma is \(-1, 1\); give \(lowest, highest\), both 0 or more"),
        ({"tint_strength": (0.5, 1.5)}, r"tint_strength is \(0.5, 1.5\); give \(lowest, highest\), both 0 to 1"),
        ({"rare_classes": "Logs"}, "rare_classes is Logs; give a tuple of names"),
    ],
)
def test_values_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=f"augmentation {message}"):
        Augmentation(**options)


def test_lists_of_a_recipe_become_tuples() -> None:
    assert Augmentation(scale=[1, 2], rare_classes=["Logs"]) == Augmentation(scale=(1, 2), rare_classes=("Logs",))
    assert hash(Augmentation(scale=[1, 2])) == hash(Augmentation(scale=(1, 2)))


def test_an_index_is_needed_for_what_knows_of_classes() -> None:
    assert not Augmentation(rotate=10, tint=1, hue=10, blur=1).needs_index
    assert all(Augmentation(**{name: 0.1}).needs_index for name in ("rare_crop", "cutmix", "copy_paste"))


def test_the_draw_has_a_key_for_each_effect_that_is_on() -> None:
    def keys(**options) -> set[str]:
        return set(Augmentation(**options).draw(0, 0, 0, (9, 9), (9, 9)))

    assert keys() == keys(rotate=10, cutmix=1, rare_crop=1) == {"affine"}
    assert len(keys(blur=0.5, noise=0.5)) > len(keys(blur=0.5)) > 1
