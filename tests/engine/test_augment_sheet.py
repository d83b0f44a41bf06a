"""The sheet of the augmentation, on a tiny procedural desert."""

import cv2
import numpy as np
import pytest

from desertseg.data import Augmentation
from desertseg.engine.augment_sheet import draw_augment_sheet, list_effects
from desertseg.engine.recipe import Recipe
from desertseg.errors import UserError


def test_a_sheet_shows_frames_spread_over_the_split_and_one_column_an_epoch(tiny_desert, tmp_path):
    changes = {"size": (48, 80), "flip": 0.0, "scale": (1.0, 1.0), "saturation": (0.0, 0.0)}
    sheet = draw_augment_sheet(tiny_desert, tmp_path / "a" / "sheet.png", frames=2, variants=2, **changes)
    assert sheet.titles == ("as loaded", "epoch 1", "epoch 2")
    assert [frame.name for frame in sheet.frames] == ["cc0000000", "ww0000001"]
    picture = cv2.imread(str(sheet.path))[..., ::-1].astype(int)
    pitch = picture.shape[1] // 3
    first, second = (picture[24:72, i * pitch : i * pitch + 80] for i in (0, 1))
    np.testing.assert_allclose(second, (first @ [0.299, 0.587, 0.114])[..., None] * [1, 1, 1], atol=1.01)
    assert np.ptp(first, axis=-1).max() > 20


def test_each_effect_stands_alone_at_full_probability():
    effects = list_effects(Augmentation(haze=0.2, haze_strength=(0.4, 0.5), hue=7.0))
    titles = dict(effects)
    assert len(effects) == 21
    assert titles["haze (0.2)"].haze == 1
    assert titles["haze (0.2)"].haze_strength == (0.4, 0.5)
    assert titles["hue"].hue == 7
    assert titles["glare (off)"].glare == 1
    for title, one in effects:
        acting = [
            n
            for n in ("flip", "rotate", "hue", "blur", "noise", "clahe", "shadow", "haze", "glare", "tint", "cutmix")
            if getattr(one, n)
        ]
        assert acting in ([], [title.split()[0]])


@pytest.mark.slow  # compiles each effect by itself
def test_a_sheet_of_each_effect(tiny_desert, tmp_path):
    recipe = Recipe().with_settings(size=(32, 64))
    sheet = draw_augment_sheet(tiny_desert, tmp_path / "sheet.png", recipe, frames=2, each=True)
    assert len(sheet.titles) == 22
    assert sheet.path.stat().st_size > 10_000


def test_what_makes_no_sheet_is_said(tiny_desert, tmp_path):
    with pytest.raises(UserError, match="0 frames"):
        draw_augment_sheet(tiny_desert, tmp_path / "sheet.png", frames=0)
    with pytest.raises(UserError, match=r"sheet\.jpg is no PNG"):
        draw_augment_sheet(tiny_desert, tmp_path / "sheet.jpg")
