from __future__ import annotations

import numpy as np
import pytest

from desertseg.labels import load_labels
from desertseg.report.film import Film
from desertseg.report.overlay import tint_labels


@pytest.mark.parametrize("size", [(540, 960), (300, 240)])
def test_a_frame_keeps_its_size_and_has_the_key_in_a_corner(size: tuple[int, int]) -> None:
    falcon = load_labels("falcon")
    image, labels = np.full((*size, 3), 90, np.uint8), np.full(size, 3, np.uint8)
    drawn = Film(falcon, size).draw(image, labels)
    assert drawn.shape == image.shape
    differs = (drawn != tint_labels(image, labels, falcon)).any(axis=2)
    rows, columns = np.nonzero(differs)
    assert rows.min() >= size[0] // 2
    assert columns.max() < size[1] // 2
    colors = {tuple(c) for c in drawn[differs].tolist()}
    for found in falcon.classes:  # each colour shows through the key, mixed with what is below it
        mixed = 0.25 * tint_labels(image, labels, falcon)[0, 0] + 0.75 * np.array(found.color)
        assert min(np.abs(np.array(c) - mixed).max() for c in colors) <= 1


def test_a_small_frame_gets_no_key() -> None:
    falcon = load_labels("falcon")
    image, labels = np.full((48, 80, 3), 90, np.uint8), np.full((48, 80), 3, np.uint8)
    np.testing.assert_array_equal(Film(falcon, (48, 80)).draw(image, labels), tint_labels(image, labels, falcon))
