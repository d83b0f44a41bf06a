from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.engine import load_segmenter, predict
from desertseg.errors import UserError
from desertseg.labels import load_labels


@pytest.fixture
def frames(tiny_desert: Path) -> list[Path]:
    return sorted((tiny_desert / "val" / "Color_Images").glob("*.png"))


def test_a_mixture_of_sources_keeps_order_names_and_sizes(tiny_run: Path, frames: list[Path], tmp_path: Path) -> None:
    large = cv2.resize(cv2.imread(str(frames[0])), (150, 70), interpolation=cv2.INTER_AREA)
    (tmp_path / "more").mkdir()
    cv2.imwrite(str(tmp_path / "more" / "zebra.jpg"), large)
    shutil.copy(frames[0], tmp_path / "more" / "ant.png")
    sources = [frames[2], tmp_path / "more", str(frames[0].parent / f"{frames[1].stem}*")]
    result = predict(tiny_run / "best.keras", sources, tmp_path / "out", progress=False)
    assert [p.stem for p in result.masks] == [frames[2].stem, "ant", "zebra", frames[1].stem]
    assert result.failures == ()
    falcon = load_labels("falcon")
    for path, size in zip(result.masks, [(48, 80), (48, 80), (70, 150), (48, 80)], strict=True):
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert mask.dtype == np.uint16
        assert mask.shape == size
        assert set(np.unique(mask)) <= set(falcon.ids)
        color = cv2.imread(str(tmp_path / "out" / "masks_color" / path.name))[..., ::-1]
        np.testing.assert_array_equal(color, falcon.colorize(falcon.encode(mask)))
        overlay = cv2.imread(str(tmp_path / "out" / "overlays" / path.name))
        assert overlay.shape[0] == size[0]
        assert overlay.shape[1] > size[1]  # the legend stands on the right


def test_masks_are_the_argmax_of_the_models_logits(tiny_run: Path, frames: list[Path], tmp_path: Path) -> None:
    """Where a frame has the training size, nothing is resized and the mask is the model's own argmax."""
    segmenter = load_segmenter(tiny_run / "best.keras")
    image = cv2.resize(cv2.imread(str(frames[0])), (64, 32), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    result = predict(segmenter, tmp_path / "a.png", tmp_path / "out", progress=False)
    mask = cv2.imread(str(result.masks[0]), cv2.IMREAD_UNCHANGED)
    logits = segmenter.predict(image[None, ..., ::-1], verbose=0)[0]
    np.testing.assert_array_equal(mask, np.array(segmenter.labels.ids)[logits.argmax(-1)])


def test_a_bad_file_is_reported_and_skipped(tiny_run: Path, frames: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(frames[0].read_bytes()[:200])
    sources = [frames[0], tmp_path / "broken.png", frames[1]]
    result = predict(tiny_run / "best.keras", sources, tmp_path / "out", progress=False)
    assert [p.stem for p in result.masks] == [frames[0].stem, frames[1].stem]
    assert [p for p, _ in result.failures] == [tmp_path / "broken.png"]
    assert "broken.png" in result.failures[0][1]
    assert sorted(p.stem for p in (tmp_path / "out" / "masks").iterdir()) == sorted([frames[0].stem, frames[1].stem])


def test_nothing_is_buried(tiny_run: Path, frames: list[Path], tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    shutil.copy(frames[0], tmp_path / "b")
    with pytest.raises(UserError, match=rf"would both be written as {frames[0].stem}.png"):
        predict(tiny_run / "best.keras", [frames[0], tmp_path / "b"], tmp_path / "out", progress=False)
    predict(tiny_run / "best.keras", frames[0], tmp_path / "out", progress=False)
    with pytest.raises(UserError, match="not empty; choose another --out"):
        predict(tiny_run / "best.keras", frames[1], tmp_path / "out", progress=False)
    predict(tiny_run / "best.keras", frames[1], tmp_path / "out", overwrite=True, progress=False)
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 2
