from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from desertseg.data import find_frames
from desertseg.engine import evaluate_masks
from desertseg.errors import UserError
from desertseg.labels import load_labels

FALCON = load_labels("falcon")


def truth(desert: Path) -> dict[str, np.ndarray]:
    return {f.name: cv2.imread(str(f.mask), cv2.IMREAD_UNCHANGED) for f in find_frames(desert, "val")}


def guess(mask: np.ndarray, seed: int) -> np.ndarray:
    """Indices that are right for about two pixels in three."""
    random = np.random.default_rng(seed)
    return np.where(random.random(mask.shape) < 0.67, FALCON.encode(mask), random.integers(0, 10, mask.shape, np.uint8))


@pytest.mark.parametrize("offset", [None, 1])
def test_masks_of_every_kind_score_as_scikit_learn_says(tiny_desert: Path, tmp_path: Path, offset: int | None) -> None:
    """Indices, or raw ids in some files and colours in the others."""
    masks = truth(tiny_desert)
    guesses = {name: guess(mask, seed) for seed, (name, mask) in enumerate(masks.items())}
    for number, (name, indices) in enumerate(guesses.items()):
        written = FALCON.decode(indices) if number % 2 else FALCON.colorize(indices)[..., ::-1]
        cv2.imwrite(str(tmp_path / f"{name}_pred.png"), written if offset is None else indices + np.uint8(offset))
    found = evaluate_masks(tmp_path, tiny_desert, index_offset=offset, boundaries=False, progress=False)
    every = [np.concatenate([FALCON.encode(m).ravel() for m in masks.values()])]
    every.append(np.concatenate([g.ravel() for g in guesses.values()]))
    np.testing.assert_array_equal(found.scores.confusion, confusion_matrix(*every, labels=range(10)))
    assert found.folder == tmp_path / "evaluation" / "desert-val"
    details = json.loads((found.folder / "evaluation.json").read_text())
    assert details["miou"] == found.scores.miou
    assert details["calibration"] is None
    assert details["index_offset"] == offset
    assert (found.folder / "report.html").stat().st_size > 10_000
    assert not found.failures


def test_perfect_masks_of_another_size_score_nearly_one_and_missing_ones_are_named(
    tiny_desert: Path, tmp_path: Path
) -> None:
    masks = truth(tiny_desert)
    *kept, gone = masks
    for name in kept:
        large = cv2.resize(masks[name], (160, 96), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(tmp_path / f"{name}.png"), large)
    found = evaluate_masks(tmp_path, tiny_desert, boundaries=False, progress=False, out=tmp_path / "scores")
    assert found.scores.miou == 1
    assert found.frames == len(kept)
    assert [reason for _, reason in found.failures] == [f"there is no mask of frame {gone} in {tmp_path}"]


def test_indices_taken_for_ids_are_recognised(tiny_desert: Path, tmp_path: Path) -> None:
    for name, mask in truth(tiny_desert).items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), FALCON.encode(mask))
    with pytest.raises(UserError, match=r"look like class indices, .* give --index-offset 0 if 0 is Trees"):
        evaluate_masks(tmp_path, tiny_desert, progress=False)
