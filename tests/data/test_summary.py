from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.data import DataError, Frame, find_frames, read_image, read_mask
from desertseg.data.summary import GRID, count_colors, summarize
from desertseg.labels import LabelError, LabelMap


@pytest.fixture(scope="module")
def mixed_data(tmp_path_factory: pytest.TempPathFactory, write_pair: Callable) -> Path:
    """Five frames of two scenes and two sizes, none a multiple of the grid's."""
    folder = tmp_path_factory.mktemp("mixed")
    for i in range(3):
        write_pair(folder, f"aa{i}", (50, 70))
    for i in range(2):
        write_pair(folder, f"bb{i}", (41, 97))
    return folder


def test_counts_are_those_of_plain_numpy(mixed_data: Path, falcon: LabelMap) -> None:
    few = LabelMap("few", falcon.classes[:6], ignore=tuple(i for c in falcon.classes[6:] for i in c.ids))
    frames, done = find_frames(mixed_data), []
    summary = summarize(frames, few, progress=done.append, threads=2)
    assert summary.frames == tuple(frames)
    assert sum(done) == 5
    assert summary.sizes == {(50, 70): 3, (41, 97): 2}
    places = np.zeros((*GRID, 6))
    areas = np.zeros(GRID)
    pixels = []
    for frame, counts, ignored in zip(frames, summary.counts, summary.ignored, strict=True):
        labels = read_mask(frame.mask, few)
        pixels.append(read_image(frame.image).reshape(-1, 3))
        assert ignored == (labels == 255).sum() > 0
        y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
        # Corners of the pixels, not their centres, tell the cell: pixel y of H begins in row floor(y * 36 / H).
        coordinates = y.ravel() / labels.shape[0], x.ravel() / labels.shape[1]
        for c in range(6):
            assert counts[c] == (labels == c).sum()
            inside = (labels == c).ravel()
            grid, *_ = np.histogram2d(*(a[inside] + 1e-9 for a in coordinates), bins=GRID, range=[(0, 1), (0, 1)])
            places[..., c] += grid
        areas += np.histogram2d(*(a + 1e-9 for a in coordinates), bins=GRID, range=[(0, 1), (0, 1)])[0]
    np.testing.assert_array_equal(summary.positions, places)
    np.testing.assert_array_equal(summary.areas, areas)
    np.testing.assert_allclose(summary.places, places / np.maximum(areas, 1)[..., None])
    everything = np.concatenate(pixels)
    for channel in range(3):
        np.testing.assert_array_equal(summary.colors[channel], np.bincount(everything[:, channel], minlength=256))


def test_regions_are_counted_in_every_frame(tmp_path: Path, falcon: LabelMap) -> None:
    for name, side in (("a1", 3), ("a2", 9)):
        labels = np.zeros((40, 60), np.uint8)
        labels[5 : 5 + side, 5 : 5 + side] = 7
        labels[30, 50] = 7
        for folder, content in (("images", np.zeros((40, 60, 3), np.uint8)), ("masks", falcon.decode(labels))):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), content)
    summary = summarize(find_frames(tmp_path), falcon)
    assert summary.regions[7].sum() == 4
    assert summary.regions[0].sum() == 2
    assert summary.largest[7] == 81
    assert summary.largest[0] == 40 * 60 - 10
    assert summary.largest[3] == 0


def test_a_frame_that_cannot_be_read_is_left_out(mixed_data: Path, tmp_path: Path, falcon: LabelMap) -> None:
    data = tmp_path / "data"
    shutil.copytree(mixed_data, data)
    (data / "images" / "aa1.png").write_bytes(b"")
    summary = summarize(find_frames(data), falcon)
    assert [f.name for f in summary.frames] == ["aa0", "aa2", "bb0", "bb1"]
    ((frame, reason),) = summary.failures
    assert frame.name == "aa1"
    assert "is empty" in str(reason)
    assert summary.counts.shape == (4, 10)


def test_where_nothing_can_be_read_the_first_reason_is_raised(mixed_data: Path, falcon: LabelMap) -> None:
    frames = find_frames(mixed_data)
    with pytest.raises(LabelError, match=r"aa0\.png holds id"):
        summarize(frames, LabelMap("one", falcon.classes[:1]))
    with pytest.raises(DataError, match="has no mask"):
        summarize([Frame(f.image, None, f.name) for f in frames], falcon)
    with pytest.raises(DataError, match="no frames"):
        summarize([], falcon)
    done: list[int] = []
    with pytest.raises(LabelError):
        summarize(frames * 40, LabelMap("one", falcon.classes[:1]), progress=done.append)
    assert len(done) < 16  # a wrong label map is said at once, not after thousands of frames


def test_colors_are_exact_beyond_what_a_float32_counts() -> None:
    image = np.zeros((4200, 4100, 3), np.uint8)
    image[0, 0] = 9
    np.testing.assert_array_equal(count_colors(image)[:, [0, 9]], [[4200 * 4100 - 1, 1]] * 3)
