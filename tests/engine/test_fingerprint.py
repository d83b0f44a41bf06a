from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from desertseg.data import find_frames
from desertseg.engine import Recipe
from desertseg.engine.fingerprint import differences, fingerprint
from desertseg.errors import UserError
from desertseg.labels import load_labels


def take(data: Path, labels: str = "falcon") -> dict:
    found = fingerprint(find_frames(data, "train"), find_frames(data, "val"), load_labels(labels))
    return json.loads(json.dumps(found))


def test_a_data_set_that_was_moved_is_the_same(tiny_desert: Path, tmp_path: Path) -> None:
    old = take(tiny_desert)
    moved = shutil.copytree(tiny_desert, tmp_path / "elsewhere")
    os.utime(next((moved / "train" / "Segmentation").iterdir()), (0, 0))
    assert differences(old, take(moved)) == []
    assert len(old["frames"]["train"]) == 8


def test_it_is_told_which_frames_differ(tiny_desert: Path, tmp_path: Path) -> None:
    old = take(tiny_desert)
    data = shutil.copytree(tiny_desert, tmp_path / "data")
    names = list(old["frames"]["train"])
    image, mask = (next((data / "train" / kind).glob(f"{names[0]}.*")) for kind in ("Color_Images", "Segmentation"))
    for kind, path in (("Color_Images", image), ("Segmentation", mask)):
        for number in range(5):
            shutil.copy(path, data / "train" / kind / f"zz{number}{path.suffix}")
    image.unlink()
    mask.unlink()
    changed = next((data / "val" / "Segmentation").iterdir())
    changed.write_bytes(changed.read_bytes() + b"\0")
    assert differences(old, take(data)) == [
        f"train: 1 frame is missing ({names[0]}); the run has 8, the folder 12",
        "train: 5 frames are new (zz0, zz1, zz2, ...); the run has 8, the folder 12",
        f"val: 1 frame is of another file size ({changed.stem}); the run has 5, the folder 5",
    ]
    assert differences(old, take(tiny_desert, "falcon7"))[0].startswith("labels.name is 'falcon' in the run, and now")


def test_it_is_told_which_settings_differ() -> None:
    old = Recipe()
    assert differences(old.to_dict(), Recipe().to_dict()) == []
    lines = differences(old.to_dict(), old.with_settings(batch_size=3, size=(32, 64)).to_dict())
    assert lines == [
        "data.size is [192, 320] in the run, and now [32, 64]",
        "train.batch_size is 8 in the run, and now 3",
    ]
    assert differences({"a": {"x": 1}}, {"a": {"y": 2}, "b": {}}) == [
        "a.x is 1 in the run, and now left out",
        "a.y is 2, which the run does not have",
        "b is {}, which the run does not have",
    ]


def test_a_file_that_is_gone_is_named(tiny_desert: Path, tmp_path: Path) -> None:
    data = shutil.copytree(tiny_desert, tmp_path / "data")
    frames = find_frames(data, "val")
    frames[0].mask.unlink()
    with pytest.raises(UserError, match=f"{frames[0].mask} cannot be read: No such file"):
        fingerprint([], frames, load_labels("falcon"))
