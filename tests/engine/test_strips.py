from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops

from desertseg.engine.interpolation import bilinear_taps, interpolate, resize
from desertseg.engine.strips import Strips, is_large

CLASSES, STRIDE = 4, 5


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def answers(views: list[Any], bias: Any) -> dict[str, Any]:
    probabilities = sum(ops.softmax(view + bias, axis=-1) for view in views) / len(views)
    best = ops.cast(ops.argmax(probabilities, axis=-1), "uint8")
    return {
        "labels": best,
        "probabilities": probabilities,
        "alternatives": ops.stack([best, (best + 1) % CLASSES]),
        "finite": ops.all(ops.isfinite(views[0]), axis=(2, 3)),
        "sample": views[0][:, ::STRIDE, ::STRIDE],
    }


@pytest.mark.parametrize("size", [(54, 96), (24, 40), (45, 61), (7, 5), (1, 1)])
def test_interpolation_is_bilinear_resizing(size: tuple[int, int]) -> None:
    """Against the backend's own, which takes its weights from float32 positions."""
    pictures = draw(2, 24, 40, 3)
    expected = ops.image.resize(pictures, size, interpolation="bilinear", data_format="channels_last")
    np.testing.assert_allclose(resize(ops.convert_to_tensor(pictures), size), expected, atol=2e-5)


def test_any_part_can_be_had_by_itself() -> None:
    pictures = ops.convert_to_tensor(draw(1, 6, 9, 2))
    rows, columns = bilinear_taps(6, 31), bilinear_taps(9, 20)
    whole = np.asarray(interpolate(pictures, rows, columns))
    part = interpolate(pictures, rows.part(0, None, 7), columns.part(3, 11))
    np.testing.assert_array_equal(part, whole[:, ::7, 3:11])


def test_a_size_that_stays_changes_no_bit() -> None:
    pictures = draw(1, 5, 6, 2)
    taps = bilinear_taps(5, 5), bilinear_taps(6, 6)
    np.testing.assert_array_equal(interpolate(ops.convert_to_tensor(pictures), *taps), pictures)


def test_one_pixel_becomes_any_size() -> None:
    np.testing.assert_array_equal(resize(ops.ones((1, 1, 1, 2)), (3, 4)), np.ones((1, 3, 4, 2)))


@pytest.mark.parametrize("rows", [1, 10, 29, 33, 99])
def test_strips_give_what_the_whole_frame_gives(rows: int) -> None:
    """Two views, three frames of which two are real; 33 rows are cut into strips of 5, 10, 30, 35 and 35 rows."""
    size = (33, 47)
    coarse = [ops.convert_to_tensor(draw(3, 12, 20, CLASSES)), ops.convert_to_tensor(-draw(3, 12, 20, CLASSES))]
    bias = np.array([0, 0, 0.5, -1e9], np.float32)
    whole = answers([resize(view, size) for view in coarse], bias)
    given = Strips(answers, size, rows=rows, stride=STRIDE).answer(coarse, bias, count=2)
    assert set(given) == set(whole)
    for name, expected in whole.items():
        expected = np.take(np.asarray(expected), (0, 1), axis=1 if name == "alternatives" else 0)
        np.testing.assert_allclose(given[name], expected, atol=1e-6, err_msg=name)
    assert given["labels"].dtype == np.uint8


def test_only_huge_frames_are_cut() -> None:
    assert not is_large((2160, 1800))
    assert is_large((9000, 12000))
