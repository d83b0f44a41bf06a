from __future__ import annotations

import cv2
import numpy as np
import pytest

from desertseg.metrics.flicker import Flicker, count_flicker


def texture(height: int, width: int) -> np.ndarray:
    """A picture with structure at every place, as flow needs it."""
    noise = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3) + cv2.GaussianBlur(noise, (0, 0), 9) * 2
    gray = cv2.normalize(smooth, None, 20, 230, cv2.NORM_MINMAX).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def blobs(height: int, width: int) -> np.ndarray:
    """Labels of four classes in patches of some 20 pixels."""
    noise = np.random.default_rng(1).normal(size=(height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 10)
    return np.digitize(smooth, np.quantile(smooth, [0.25, 0.5, 0.75])).astype(np.uint8)


@pytest.mark.parametrize("size", [(200, 240), (400, 1000)])
def test_labels_that_move_with_the_picture_do_not_flicker(size: tuple[int, int]) -> None:
    height, width = size
    world, truth = texture(height + 40, width + 40), blobs(height + 40, width + 40)
    before = world[10 : 10 + height, 10 : 10 + width], truth[10 : 10 + height, 10 : 10 + width]
    after = world[14 : 14 + height, 17 : 17 + width], truth[14 : 14 + height, 17 : 17 + width]
    found = count_flicker(*before, *after)
    assert found.changed == np.count_nonzero(before[1] != after[1])
    assert found.changed_share > 0.15
    assert found.found_share > 0.9
    assert found.share < 0.005


def test_patches_that_are_wrong_once_are_found_in_motion() -> None:
    world, truth = texture(240, 280), blobs(240, 280)
    wrong = truth.copy()
    for row in range(30, 220, 40):
        for column in range(30, 260, 40):
            cv2.circle(wrong, (column, row), 8, 7, -1)
    found = count_flicker(world[:200, :240], truth[:200, :240], world[3:203, 5:245], wrong[3:203, 5:245])
    assert found.share == pytest.approx(np.mean(wrong[3:203, 5:245] == 7), rel=0.1)


def test_a_still_camera_leaves_what_looks_the_same() -> None:
    """A third of the frame changes its label; in half of that third the picture changes too."""
    image, labels = texture(120, 180), np.zeros((120, 180), np.uint8)
    after, other = image.copy(), labels.copy()
    other[:, :60] = 1
    after[:60, :60] = 255 - after[:60, :60] // 4
    same = count_flicker(image, labels, image, labels)
    assert same == Flicker(1, 120 * 180, 0, 120 * 180, 120 * 180, 0)
    found = count_flicker(image, labels, after, other)
    assert found.changed_share == 1 / 3
    assert found.found_share == pytest.approx(5 / 6, abs=0.03)
    assert found.share == pytest.approx(1 / 5, abs=0.02)


def test_a_border_may_move_by_one_pixel() -> None:
    image, columns = texture(60, 80), np.arange(80)
    at = {border: np.tile((columns >= border).astype(np.uint8), (60, 1)) for border in (40, 41, 42)}
    assert count_flicker(image, at[40], image, at[41]).flickered == 0
    assert count_flicker(image, at[40], image, at[42]).flickered == 60
    assert count_flicker(image, at[40], image, at[42]).changed == 120


def test_a_cut_is_no_flicker() -> None:
    image, labels = texture(60, 80), blobs(60, 80)
    assert count_flicker(image, labels, 255 - image, 3 - labels) == Flicker(cuts=1)


def test_counts_add_up_and_nothing_is_nan() -> None:
    image, labels = texture(30, 40), blobs(30, 40)
    one = count_flicker(image, labels, image, (labels + 1) % 4)
    assert one + one == Flicker(2, 2400, 2 * one.changed, 2400, 2 * one.found, 2 * one.flickered)
    assert np.isnan([Flicker().share, Flicker().changed_share, Flicker().found_share]).all()
    assert (
        count_flicker(
            np.zeros((1, 3, 3), np.uint8), labels[:1, :3], np.zeros((1, 3, 3), np.uint8), labels[:1, :3]
        ).share
        == 0
    )
