from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from desertseg.engine import evaluate, evaluation_folder
from desertseg.errors import UserError
from desertseg.ui.album import SHOWN, Album, Pick, page_of


def test_scenes_and_their_frames(data: Path) -> None:
    album = Album(data)
    assert album.scenes == {"a": 2, "b": 2}
    assert [pick.caption for pick in album.of_scene("b")] == ["b0", "b1"]
    given = album.given(album.of_scene("b")[1].place)
    assert (given.name, given.mask_name, given.origin) == ("b1.png", "b1.png", "of desert")


def test_frames_with_a_class_come_richest_first(data: Path) -> None:
    album = Album(data)
    assert album.classes == {"Trees": 4, "Lush Bushes": 4, "Dry Grass": 4, "Logs": 2, "Sky": 4}
    assert [pick.caption for pick in album.of_class("Logs")] == ["b1 · 0.42 %", "a0 · 0.1 %"]
    with pytest.raises(UserError, match="there is no class 'Lava' in desert"):
        album.of_class("Lava")


def test_frames_at_random_follow_the_seed(data: Path) -> None:
    album = Album(data)
    assert album.at_random(1) == album.at_random(1)
    assert sorted(pick.place for pick in album.at_random(1)) == [0, 1, 2, 3]


def test_the_worst_come_first_where_the_model_was_evaluated_on_this_folder(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("draw_confusion", "draw_per_class", "draw_class_metrics", "draw_reliability", "write_report"):
        monkeypatch.setattr(evaluation_folder, name, lambda *arguments: None)
    model = tmp_path / "best.keras"
    shutil.copy(models / "good.keras", model)
    album = Album(data)
    assert album.worst(str(model)) == []
    evaluate(model, data, split="val", boundaries=False, progress=False)
    (worst,) = album.worst(str(model))
    assert worst.title == "desert-val"
    found = [float(pick.caption.rpartition(" ")[2]) for pick in worst.picks]
    assert found == sorted(found)
    assert sorted(pick.place for pick in worst.picks) == [0, 1, 2, 3]
    shutil.copytree(data, tmp_path / "elsewhere")
    assert Album(tmp_path / "elsewhere").worst(str(model)) == []
    (tmp_path / "evaluation" / "desert-val" / "frames.npz").write_bytes(b"damaged")
    assert album.worst(str(model)) == []


def test_nothing_but_the_frames_can_be_asked_for(data: Path) -> None:
    album = Album(data)
    for place in (-1, 4):
        with pytest.raises(UserError, match="desert has 4 frames"):
            album.given(place)


def test_thumbnails_have_one_size_and_a_broken_frame_is_grey(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "copy")
    (tmp_path / "copy" / "val" / "Color_Images" / "a0.png").write_bytes(b"broken")
    album = Album(tmp_path / "copy")
    pictures = [album.thumbnail(place) for place in range(4)]
    assert {picture.shape for picture in pictures} == {(135, 240, 3)}
    assert (pictures[0] == pictures[0][0, 0]).all()
    assert np.ptp(pictures[1]) > 100


def test_a_folder_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no images"):
        Album(tmp_path)


def test_pages_end_where_the_picks_do() -> None:
    picks = [Pick(i, str(i)) for i in range(SHOWN + 3)]
    assert page_of(picks, 0) == (picks[:SHOWN], 2)
    assert page_of(picks, 9) == (picks[SHOWN:], 2)
    assert page_of([], 5) == ([], 1)
