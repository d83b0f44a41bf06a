from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from desertseg.data import ClassIndex, DataError, Frame, find_frames, index_classes, read_mask
from desertseg.files import cache_folder
from desertseg.labels import LabelError, LabelMap


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESERTSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def no_reading(monkeypatch: pytest.MonkeyPatch) -> list:
    """Masks that were read; reading goes on."""
    read: list[Path] = []

    def read_and_tell(path: Path, labels: LabelMap) -> np.ndarray:
        read.append(path)
        return read_mask(path, labels)

    monkeypatch.setattr("desertseg.data.statistics.read_mask", read_and_tell)
    return read


def test_counts_and_points_are_those_of_the_masks(flat_data: Path, falcon: LabelMap) -> None:
    frames = find_frames(flat_data, "train")
    done: list[int] = []
    index = index_classes(frames, falcon, progress=done.append, threads=2)
    assert sum(done) == 7
    assert index.counts.shape == (7, 10)
    assert index.points.shape == (7, 10, 8, 2)
    for frame, counts, points in zip(frames, index.counts, index.points, strict=True):
        labels = read_mask(frame.mask, falcon)
        for c in range(10):
            assert counts[c] == (labels == c).sum()
            if counts[c]:
                rows, columns = (points[c] * labels.shape).astype(int).T
                assert (labels[rows, columns] == c).all()
                assert len(set(zip(rows, columns, strict=True))) > 1
            else:
                assert np.isnan(points[c]).all()
    np.testing.assert_allclose(index.shares, index.counts.sum(axis=0) / (7 * 12 * 20))


def test_ignored_pixels_do_not_count(flat_data: Path, falcon: LabelMap) -> None:
    few = LabelMap(
        "few",
        falcon.classes[2:4],
        ignore=tuple(i for c in falcon.classes for i in c.ids if c not in falcon.classes[2:4]),
    )
    frames = find_frames(flat_data, "train")
    np.testing.assert_array_equal(index_classes(frames, few).counts, index_classes(frames, falcon).counts[:, 2:4])


def test_masks_are_read_again_only_when_something_changed(
    flat_data: Path, tmp_path: Path, falcon: LabelMap, no_reading: list
) -> None:
    data = tmp_path / "data"
    shutil.copytree(flat_data, data)
    frames = find_frames(data, "train")
    first = index_classes(frames, falcon)
    assert len(no_reading) == 7
    again = index_classes(frames, falcon, progress=no_reading.append)
    assert no_reading.pop() == 7  # the progress is told, and nothing was read
    assert len(no_reading) == 7
    np.testing.assert_array_equal(again.counts, first.counts)
    np.testing.assert_array_equal(again.points, first.points)
    shutil.copyfile(frames[0].mask, frames[1].mask)
    os.utime(frames[1].mask, ns=(1, 1))
    np.testing.assert_array_equal(index_classes(frames, falcon).counts[1], first.counts[0])
    assert len(no_reading) == 14
    index_classes(frames[:3], falcon)
    assert len(no_reading) == 17


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_a_damaged_cache_is_counted_anew(flat_data: Path, falcon: LabelMap, no_reading: list, content: bytes) -> None:
    frames = find_frames(flat_data, "val")
    first = index_classes(frames, falcon)
    (file,) = (cache_folder() / "classes").iterdir()
    file.write_bytes(content)
    np.testing.assert_array_equal(index_classes(frames, falcon).counts, first.counts)
    assert len(no_reading) == 8
    index_classes(frames, falcon)
    assert len(no_reading) == 8


def test_a_cache_that_cannot_be_written_does_no_harm(
    flat_data: Path, tmp_path: Path, falcon: LabelMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DESERTSEG_CACHE", str(tmp_path / "file"))
    assert index_classes(find_frames(flat_data, "val"), falcon).counts.sum() == 4 * 12 * 20


def test_rare_classes_are_those_named_or_below_two_percent(falcon: LabelMap) -> None:
    counts = np.zeros((2, 10), int)
    counts[:, [2, 6, 7, 9]] = [[5000, 10, 190, 0], [4680, 10, 0, 110]]  # 0.2, 1.9 and 1.1 %
    index = ClassIndex(counts, np.zeros((2, 10, 8, 2), np.float32))
    assert index.rare(falcon).tolist() == [6, 7, 9]
    assert index.rare(falcon, ("Dry Grass", "Trees")).tolist() == [2]  # there are no trees
    with pytest.raises(DataError, match=r"rare class 'Rock' does not exist \(did you mean 'Rocks'\?\)"):
        index.rare(falcon, ("Rock",))


def test_masks_that_cannot_be_used_are_named(flat_data: Path, tmp_path: Path, falcon: LabelMap) -> None:
    frame = find_frames(flat_data, "val")[0]
    with pytest.raises(DataError, match="has no mask"):
        index_classes([Frame(frame.image, None, frame.name)], falcon)
    with pytest.raises(LabelError, match=r"mask .*cc0000\.png holds id"):
        index_classes([frame], LabelMap("two", falcon.classes[:2]))
    with pytest.raises(DataError, match="does not exist"):
        index_classes([Frame(frame.image, tmp_path / "none.png", "none")], falcon)


def test_the_cache_lies_where_the_user_says_or_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("DESERTSEG_CACHE", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a"
    monkeypatch.delenv("DESERTSEG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_folder() == tmp_path / "b/desertseg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache/desertseg"
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder().name == "desertseg"
