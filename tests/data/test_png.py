from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.data import DataError, write_png


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_written_is_read_back(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    if len(shape) == 3 and dtype == np.uint16:
        with pytest.raises(TypeError, match="write_png takes"):
            write_png(tmp_path / "a.png", array)
        return
    write_png(tmp_path / "deep" / "a.png", array)
    found = cv2.imread(str(tmp_path / "deep" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found if len(shape) == 2 else found[..., ::-1], array)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.png"]


def test_views_are_written_as_they_look(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    write_png(tmp_path / "a.png", array[::-1, ::2])
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], array[::-1, ::2])


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/a\.png cannot be written"):
        write_png(tmp_path / "file" / "a.png", np.zeros((2, 2), np.uint8))
