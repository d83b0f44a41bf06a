from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.data import Box, DataError, fit_box, letterbox, letterbox_labels, resize_image, resize_labels
from desertseg.labels import IGNORE_INDEX

few = settings(max_examples=50, deadline=None, derandomize=True)
lengths = st.integers(1, 70)
sizes = st.tuples(lengths, lengths)


def area_weights(source: int, target: int) -> np.ndarray:
    """(target, source) float64: the share of each source pixel in each target pixel, by interval overlap."""
    edges = np.arange(target + 1) * source / target
    low, high = edges[:-1, None], edges[1:, None]
    pixels = np.arange(source)
    return np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None) / (source / target)


def bilinear_weights(source: int, target: int) -> np.ndarray:
    at = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    return np.clip(1 - np.abs(at[:, None] - np.arange(source)), 0, None)


@few
@given(sizes, sizes, st.integers(0, 9))
def test_images_are_averaged_by_area_or_interpolated(native: tuple[int, int], size: tuple[int, int], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (*native, 3), np.uint8)
    weights = [(area_weights if t <= s else bilinear_weights)(s, t) for s, t in zip(native, size, strict=True)]
    expected = np.einsum("ih,jw,hwc->ijc", *weights, image.astype(np.float64))
    found = resize_image(image, size)
    assert found.dtype == np.uint8
    # Rounded once a pass, in fixed point: OpenCV's bilinear weights have 11 bits, which moves 255 by 0.25 at most.
    assert np.abs(found - expected).max() <= 1.6
    out = np.zeros((size[0] + 2, size[1] + 3, 3), np.uint8)
    resize_image(image, size, out=out[1:-1, 1:-2])
    np.testing.assert_array_equal(out[1:-1, 1:-2], found)
    assert out.sum() == found.astype(int).sum()


@few
@given(sizes, sizes)
def test_labels_are_those_under_the_centres(native: tuple[int, int], size: tuple[int, int]) -> None:
    labels = np.arange(native[0] * native[1], dtype=np.uint16).reshape(native)
    rows, columns = ([int((2 * i + 1) * s // (2 * t)) for i in range(t)] for s, t in zip(native, size, strict=True))
    np.testing.assert_array_equal(resize_labels(labels, size), labels[np.ix_(rows, columns)])


@few
@given(sizes, sizes, st.integers(0, 9))
def test_resizing_commutes_with_the_mirror(native: tuple[int, int], size: tuple[int, int], seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 10, native).astype(np.uint8)
    on_an_edge = [t for t in range(size[1]) if (2 * t + 1) * native[1] % (2 * size[1]) == 0]
    # A centre on the edge between two pixels takes the right one, and in the mirror the left one.
    clear = np.setdiff1d(np.arange(size[1]), on_an_edge)
    mirrored, resized = resize_labels(labels[:, ::-1], size)[:, ::-1], resize_labels(labels, size)
    np.testing.assert_array_equal(mirrored[:, clear], resized[:, clear])


@few
@given(sizes, sizes)
def test_the_box_fills_one_side_keeps_the_aspect_and_is_centred(native: tuple[int, int], size: tuple[int, int]) -> None:
    box = fit_box(native, size)
    assert box.height == size[0] or box.width == size[1]
    scale = min(size[0] / native[0], size[1] / native[1])
    assert abs(box.height - max(1, native[0] * scale)) <= 0.5
    assert abs(box.width - max(1, native[1] * scale)) <= 0.5
    assert abs((size[0] - box.height) - 2 * box.top) <= 1
    assert abs((size[1] - box.width) - 2 * box.left) <= 1


def test_letterbox_places_image_and_labels_alike() -> None:
    image = np.full((54, 96, 3), 200, np.uint8)
    boxed, box = letterbox(image, (32, 32))
    labels = letterbox_labels(np.full((54, 96), 3, np.uint8), (32, 32))
    assert box == Box(7, 0, 18, 32)
    inside = np.zeros((32, 32), bool)
    inside[box.slices] = True
    np.testing.assert_array_equal(boxed, np.where(inside[..., None].repeat(3, -1), 200, 0))
    np.testing.assert_array_equal(labels, np.where(inside, 3, IGNORE_INDEX))


def test_stretch_fills_the_canvas() -> None:
    assert fit_box((54, 96), (32, 32), "stretch") == Box(0, 0, 32, 32)
    assert (letterbox(np.full((54, 96, 3), 9, np.uint8), (32, 32), "stretch")[0] == 9).all()


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(DataError, match="no resize 'squash'; choose one of letterbox, stretch"):
        fit_box((5, 5), (4, 4), "squash")
