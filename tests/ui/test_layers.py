from __future__ import annotations

import base64

import cv2
import numpy as np

from desertseg.ui.layers import WIDEST, draw_layers


def decode(uri: str) -> np.ndarray:
    content = base64.b64decode(uri.partition(",")[2])
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_what_is_said_of_a_pixel_arrives_exactly() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (9, 13, 3), np.uint8)
    guess, truth = (random.integers(0, 10, (9, 13), np.uint8) for _ in range(2))
    prediction = np.where(random.random((9, 13)) < 0.3, np.uint8(255), guess)
    sure = {name: random.random((9, 13)).astype(np.float32) for name in ("confidence", "entropy")}
    layers = draw_layers(image, prediction, guess, sure, truth)
    assert layers.size == (9, 13)
    assert layers.has_truth
    np.testing.assert_array_equal(decode(layers.classes), np.dstack([prediction, truth, guess]))
    levels = decode(layers.sureness)
    for channel, name in enumerate(("confidence", "entropy")):
        assert np.abs(levels[..., channel] / 255 - sure[name]).max() <= 0.5 / 255 + 1e-6
    assert layers.frame.startswith("data:image/jpeg;base64,")
    assert decode(layers.frame).shape == (9, 13, 3)


def test_a_wide_frame_is_reduced_and_no_label_is_mixed() -> None:
    width = 3 * WIDEST
    labels = np.tile(np.array([[1], [200]], np.uint8), (2, width))
    sure = {name: np.ones(labels.shape, np.float32) for name in ("confidence", "entropy")}
    layers = draw_layers(np.zeros((4, width, 3), np.uint8), labels, labels, sure, None)
    assert layers.size == (1, WIDEST)
    assert not layers.has_truth
    classes = decode(layers.classes)
    assert set(np.unique(classes[..., 0])) <= {1, 200}
    assert (classes[..., 1] == 255).all()
