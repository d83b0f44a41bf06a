from __future__ import annotations

import tracemalloc

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.data import fit_box, letterbox
from desertseg.engine.inference import Inference, Views, suppression_bias
from desertseg.engine.window import WINDOW_ANSWERS, label_large, place_windows
from desertseg.errors import UserError
from desertseg.labels import load_labels
from desertseg.models import Segmenter


def build(kernel: int) -> Inference:
    inputs = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(
        10, kernel, padding="same", kernel_initializer=keras.initializers.RandomNormal(stddev=0.5, seed=1)
    )
    return Inference(Segmenter(keras.Model(inputs, layer(inputs)), load_labels("falcon"), (24, 40)))


@pytest.fixture(scope="module")
def pointwise() -> Inference:
    """Sees one pixel at a time, so that where a window lies cannot matter."""
    return build(1)


@pytest.fixture(scope="module")
def local() -> Inference:
    """Sees three pixels by three, so that windows differ from the frame on their borders."""
    return build(3)


def draw(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def whole(inference: Inference, image: np.ndarray, size: tuple[int, int], **options: object) -> dict[str, np.ndarray]:
    seen, box = letterbox(image, size)
    answer = inference.answer(seen[None], box, image.shape[:2], WINDOW_ANSWERS, **options)
    return {name: np.asarray(value)[0] for name, value in answer.items()}


def compare(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Equal up to float32 sums; a class may differ only where two are level."""
    assert set(found) == set(expected)
    for name, value in found.items():
        assert value.dtype == expected[name].dtype
        assert value.shape == expected[name].shape
    assert found["finite"].all()
    np.testing.assert_allclose(found["confidence"], expected["confidence"], atol=2e-6)
    np.testing.assert_allclose(found["entropy"], expected["entropy"], atol=2e-6)
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-3)  # float16
    best = np.sort(expected["probabilities"].astype(np.float32), -1)
    clear = best[..., -1] - best[..., -2] > 2e-3
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(found["labels"][clear], expected["labels"][clear])


@pytest.mark.parametrize("views", [Views(), Views(flip=True)])
def test_one_window_over_the_frame_is_the_whole_frame(local: Inference, views: Views) -> None:
    """Whatever the size that the network sees, with views and with suppressed classes."""
    inference = Inference(local.segmenter, views=views)
    image, bias = draw(27, 50), suppression_bias(local.segmenter.labels, ["Sky", "Rocks"])
    found = label_large(inference, image, (300, 300), size=(24, 40), want=WINDOW_ANSWERS, bias=bias)
    expected = whole(inference, image, (24, 40), bias=bias)
    compare(found, expected)
    np.testing.assert_array_equal(found["labels"], expected["labels"])
    assert not np.isin(found["labels"], [local.segmenter.labels.names.index(n) for n in ("Sky", "Rocks")]).any()


@pytest.mark.parametrize(("window", "overlap"), [((8, 16), 0.5), ((7, 11), 0.0), ((27, 9), 0.7)])
def test_windows_do_not_show_where_context_does_not_matter(
    pointwise: Inference, window: tuple[int, int], overlap: float
) -> None:
    image = draw(27, 50)
    found = label_large(pointwise, image, window, overlap=overlap, want=WINDOW_ANSWERS, batch_size=3)
    compare(found, whole(pointwise, image, (27, 50)))


def test_overlapping_windows_are_averaged_by_hann_weights(local: Inference) -> None:
    """Against NumPy in float64, window by window over the whole frame, on what `predict` says of each."""
    image, window = draw(20, 34), (8, 12)
    total, weight = np.zeros((20, 34, 10)), np.zeros((20, 34, 1))
    for top in (0, 4, 8, 12):
        for left in (0, 6, 11, 16, 22):
            logits = local.segmenter.predict(image[None, top : top + 8, left : left + 12], verbose=0)[0]
            shifted = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
            rows = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(8) + 0.5) / 8)
            columns = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(12) + 0.5) / 12)
            rows[:4] = rows.max() if top == 0 else rows[:4]
            rows[4:] = rows.max() if top == 12 else rows[4:]
            columns[:6] = columns.max() if left == 0 else columns[:6]
            columns[6:] = columns.max() if left == 22 else columns[6:]
            hann = (rows[:, None] * columns)[..., None]
            total[top : top + 8, left : left + 12] += hann * shifted / shifted.sum(-1, keepdims=True)
            weight[top : top + 8, left : left + 12] += hann
    probabilities = total / weight
    found = label_large(local, image, window, want=("confidence", "labels"))
    np.testing.assert_allclose(found["confidence"], probabilities.max(-1), atol=1e-5)
    best = np.sort(probabilities, -1)
    clear = best[..., -1] - best[..., -2] > 1e-4
    np.testing.assert_array_equal(found["labels"][clear], probabilities.argmax(-1)[clear])
    assert clear.mean() > 0.99


def test_windows_are_brought_to_the_networks_size(pointwise: Inference) -> None:
    """Each is a frame of its own: cut, letterboxed, answered at its own size."""
    image = draw(16, 24)
    found = label_large(pointwise, image, (16, 12), size=(10, 10), overlap=0, want=WINDOW_ANSWERS)
    assert fit_box((16, 12), (10, 10)).width == 8
    halves = [whole(pointwise, image[:, left : left + 12], (10, 10)) for left in (0, 12)]
    maps = set(WINDOW_ANSWERS) - {"finite"}
    joined = {name: np.concatenate([h[name] for h in halves], axis=1) for name in maps}
    compare(found, joined | {"finite": halves[0]["finite"]})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.tuples(*[st.integers(1, 60)] * 4), st.floats(0, 0.95))
def test_windows_cover_the_frame_and_weigh_one(numbers: tuple[int, ...], overlap: float) -> None:
    native_size, window = numbers[:2], numbers[2:]
    windows = place_windows(native_size, window, overlap)
    for native, size, starts, weights in zip(
        native_size, windows.size, (windows.tops, windows.lefts), windows.weights(), strict=True
    ):
        assert starts[0] == 0
        assert starts[-1] + size == native
        steps = np.diff(starts)
        assert (steps > 0).all()
        assert (steps <= max(1, size * (1 - overlap)) + 1e-9).all()
        total = np.zeros(native)
        for start, weight in zip(starts, weights, strict=True):
            total[start : start + size] += weight
        np.testing.assert_allclose(total, 1, atol=1e-6)
        assert (weights > 0).all()


def test_memory_does_not_grow_with_the_height(pointwise: Inference) -> None:
    """Beyond the frame and its labels, which one byte a pixel holds; probabilities of all rows would take 40."""

    def peak(height: int) -> int:
        image = draw(height, 32)
        label_large(pointwise, image, (16, 32))
        tracemalloc.start()
        label_large(pointwise, image, (16, 32))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found - height * 32

    assert peak(1600) - peak(160) < 4 * (1600 - 160) * 32


def test_a_window_without_numbers_shows_in_its_rows() -> None:
    broken = build(1)
    kernel, bias = broken.segmenter.get_weights()
    broken.segmenter.set_weights([np.sign(kernel) * 2e38, bias])  # what is brighter than gray becomes infinite
    image = np.full((12, 10, 3), (124, 116, 104), np.uint8)
    image[9:, 4] = 255
    finite = label_large(broken, image, (4, 5), overlap=0, want=("finite", "labels"))["finite"]
    assert finite.tolist() == [True] * 9 + [False] * 3


def test_options_out_of_range_are_one_line(pointwise: Inference) -> None:
    with pytest.raises(UserError, match="the overlap is 1; give a share"):
        label_large(pointwise, draw(8, 8), (4, 4), overlap=1)
    with pytest.raises(UserError, match="the window is 0x4; give a height and a width"):
        label_large(pointwise, draw(8, 8), (0, 4))
    with pytest.raises(ValueError, match="sample"):
        label_large(pointwise, draw(8, 8), (4, 4), want=("sample",))
