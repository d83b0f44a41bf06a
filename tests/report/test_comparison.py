from __future__ import annotations

import numpy as np
import pytest

from desertseg.labels import load_labels
from desertseg.report.comparison import draw_comparison
from desertseg.report.overlay import draw_legend, draw_overlay

FALCON = load_labels("falcon")
RED, BLACK = (230, 30, 30), (0, 0, 0)


def count(picture: np.ndarray, color: tuple[int, ...]) -> int:
    return int((picture == color).all(-1).sum())


@pytest.mark.parametrize(("size", "across"), [((240, 480), 2), ((480, 240), 4)])
def test_wrong_and_ignored_pixels_are_marked(size: tuple[int, int], across: int) -> None:
    image = np.full((*size, 3), 128, np.uint8)
    truth = np.full(size, 9, np.uint8)
    prediction = truth.copy()
    prediction[:20, :30] = 0  # 600 wrong pixels
    truth[40:50, :40] = 255  # 400 ignored ones
    picture = draw_comparison(image, truth, prediction, FALCON)
    assert picture.shape[1] // size[1] == across
    clean = draw_comparison(image, truth, np.where(truth == 255, 9, truth), FALCON)
    assert count(picture, RED) - count(clean, RED) == 600
    assert count(clean, BLACK) >= 2 * 400  # in the truth and among the errors


def test_pixels_without_an_answer_are_wrong_and_shown() -> None:
    image = np.full((240, 480, 3), 128, np.uint8)
    truth = np.full((240, 480), 9, np.uint8)
    silent = np.full_like(truth, 255)
    picture = draw_comparison(image, truth, silent, FALCON)
    yellow = (picture[..., 0] > picture[..., 2].astype(int) + 60) & (picture[..., 1] > picture[..., 2].astype(int) + 60)
    assert yellow.sum() >= truth.size
    panel = picture[-400:-60, -400:-60].reshape(-1, 3).astype(int)
    red, green, _ = panel[yellow[-400:-60, -400:-60].ravel()].T
    assert (red - green).max() < 60  # it is no orange: what has no answer is not shown as wrong
    assert count(picture, BLACK) >= truth.size  # the prediction shows nothing


def test_a_large_frame_is_drawn_smaller_and_a_tiny_one_larger() -> None:
    for size, width in (((900, 3000), 1960), ((3, 5), 480)):
        labels = np.zeros(size, np.uint8)
        picture = draw_comparison(np.zeros((*size, 3), np.uint8), labels, labels, FALCON)
        assert width * 0.98 < picture.shape[1] < width * 1.06


def test_the_legend_tells_the_unknown() -> None:
    labels = np.full((200, 300), 9, np.uint8)
    labels[:50] = 255
    known = draw_legend(np.full((200, 300), 9, np.uint8), FALCON, 200)
    legend = draw_legend(labels, FALCON, 200)
    assert (legend < 200).sum() > (known < 200).sum()  # one more line of text
    image = np.full((200, 300, 3), 77, np.uint8)
    np.testing.assert_array_equal(draw_overlay(image, labels, FALCON)[10, 10], [77, 77, 77])
