"""The contact sheet of a data set: what lies where."""

import numpy as np
import pytest

from desertseg.labels import IGNORE_INDEX, load_labels
from desertseg.report.contact import Group, Shot, draw_contact

FALCON = load_labels("falcon")
LOGS, SKY = 6, 9


def draw(value, size=(90, 160)):
    labels = np.full(size, SKY, np.uint8)
    labels[-30:] = IGNORE_INDEX
    labels[5:7, 9:11] = LOGS  # four pixels
    return Shot(np.full((*size, 3), value, np.uint8), labels, f"frame {value}")


def test_frame_mask_and_overlay_lie_side_by_side():
    sheet = draw_contact([Group("scene", "2 frames", [draw(100), draw(200)])], FALCON, width=160, across=2)
    for place, value in enumerate((100, 200)):
        left, top = 8 + place * (3 * 160 + 2 + 8), 30
        panels = [sheet[top : top + 90, left + n * 161 : left + n * 161 + 160] for n in range(3)]
        assert (panels[0] == value).all()
        np.testing.assert_array_equal(panels[1], FALCON.colorize(draw(value).labels))
        np.testing.assert_array_equal(panels[2][-30:], panels[0][-30:])  # ignored: the frame itself
        np.testing.assert_allclose(panels[2][20], (FALCON.colors[SKY] / 2 + value / 2)[None].repeat(160, 0), atol=1)
    assert sheet.shape[1] == 2 * (3 * 160 + 2 + 8) + 8


def test_a_few_pixels_of_a_class_are_still_seen_in_a_small_picture():
    sheet = draw_contact([Group("Logs", "", [draw(100)], LOGS)], FALCON, width=80, across=1)
    laid = sheet[30 : 30 + 45, 8 + 2 * 81 : 8 + 2 * 81 + 80].astype(int)
    bright = np.argwhere(laid.max(axis=2) > 100)
    assert 1 <= len(bright) <= 6
    assert (abs(bright - [3, 5]) <= 1).all()
    assert (laid[20] == laid[20, 0]).all()  # and all else is dim gray
    assert laid[20].max() < 60


def test_a_frame_of_another_shape_keeps_it_and_one_without_a_mask_says_so():
    odd = Shot(np.full((90, 90, 3), 50, np.uint8), None, "square")
    sheet = draw_contact([Group("a", "", [draw(100), odd])], FALCON, width=160, across=1, remark="absent: Rocks")
    row = sheet[30 + 90 + 25 :]
    np.testing.assert_array_equal(row[45, 8 + 35 : 8 + 125], 50)
    np.testing.assert_array_equal(row[45, [9, 165]], 225)
    assert sheet[-30:].min() < 200  # the remark


@pytest.mark.parametrize("across", [1, 3])
def test_shots_fill_rows(across):
    sheet = draw_contact([Group("a", "", [draw(10 * i) for i in range(1, 6)])], FALCON, width=64, across=across)
    rows = -(-5 // across)
    assert 0 < sheet.shape[0] - 30 - rows * (36 + 25) < 60
