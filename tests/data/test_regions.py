from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from desertseg.data.regions import BINS, bin_edges, bin_sizes, drop_specks, measure_regions, middle_size


@pytest.mark.parametrize("seed", range(4))
def test_regions_are_scipys_with_corners_touching(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = np.kron(random.integers(0, 4, (12, 17)), np.ones((2, 3), int)).astype(np.uint8)
    labels[random.random(labels.shape) < 0.1] = 255
    for index in (0, 1, 2, 3, 255):
        numbers, count = ndimage.label(labels == index, structure=np.ones((3, 3)))
        expected = ndimage.sum_labels(np.ones_like(labels), numbers, np.arange(1, count + 1))
        assert sorted(measure_regions(labels, index)) == sorted(expected)
    assert measure_regions(labels, 7).shape == (0,)


def test_one_region_that_fills_the_frame_and_one_pixel_at_its_edge() -> None:
    assert measure_regions(np.zeros((5, 7), np.uint8), 0).tolist() == [35]
    labels = np.zeros((5, 7), np.uint8)
    labels[4, 6] = 3
    assert measure_regions(labels, 3).tolist() == [1]


def test_medians_from_bins_are_within_five_percent() -> None:
    random = np.random.default_rng(0)
    for scale in (2, 6, 12):
        sizes = np.ceil(np.exp(random.random(501) * scale)).astype(int)
        histogram = bin_sizes(sizes)
        assert histogram.shape == (BINS,)
        assert histogram.sum() == 501
        assert middle_size(histogram) == pytest.approx(np.median(sizes), rel=0.05, abs=0.5)
        order = np.sort(sizes)
        half = order[np.searchsorted(np.cumsum(order), order.sum() / 2)]
        assert middle_size(histogram, by_pixel=True) == pytest.approx(half, rel=0.05, abs=0.5)
        assert drop_specks(histogram).sum() == (sizes >= 16).sum()
    assert middle_size(np.zeros(BINS, int)) == 0


def test_every_size_lies_between_the_edges_of_its_bin() -> None:
    for size in [*range(1, 70), 2**20 - 1, 2**20, 2**30]:
        (place,) = np.flatnonzero(bin_sizes(np.array([size])))
        low, high = bin_edges()[place : place + 2]
        assert low - 1e-6 <= size < high
