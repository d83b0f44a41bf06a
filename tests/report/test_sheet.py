"""The contact sheet: what lies where."""

import numpy as np
import pytest

from desertseg.labels import load_labels
from desertseg.report.sheet import Column, Tile, draw_sheet


@pytest.fixture
def columns():
    """Three columns of two tiles, each of one grey value and one class."""

    def tile(value):
        labels = np.full((96, 160), 9 if value < 100 else 255, np.uint8)
        return Tile(np.full((96, 160, 3), value, np.uint8), labels, ("zoom 1.00", "flip"))

    return [Column(f"column {i}", [tile(20 * i + 10 * j) for j in (1, 2)]) for i in (1, 3, 6)]


def test_columns_and_rows_lie_side_by_side(columns):
    sheet = draw_sheet(columns, load_labels("falcon"), width=160)
    pitch = (sheet.shape[1] // 3, 96 + 48 + 12)
    for i, column in enumerate(columns):
        for j, tile in enumerate(column.tiles):
            left, top = i * pitch[0], 24 + j * pitch[1]
            np.testing.assert_array_equal(sheet[top : top + 96, left : left + 160], tile.image)
    below = sheet[24 + 96 + 10, 20]  # the first tile's labels, laid over it: sky, at 70 %
    np.testing.assert_allclose(below, 0.3 * 30 + 0.7 * load_labels("falcon").colors[9], atol=1)


def test_more_columns_than_fit_begin_a_new_block_with_the_first_one(columns):
    sheet = draw_sheet(columns, load_labels("falcon"), width=80, per_row=2)
    block = 24 + 2 * (48 + 24 + 12)
    np.testing.assert_array_equal(sheet[24 : 24 + 48, :80], 30)
    np.testing.assert_array_equal(sheet[block + 24 : block + 24 + 48, :80], 30)
    np.testing.assert_array_equal(sheet[24 : 24 + 48, 86:166], 70)
    np.testing.assert_array_equal(sheet[block + 24 : block + 24 + 48, 86:166], 130)
