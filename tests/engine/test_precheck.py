"""What fit and evaluate are told of their frames before they begin."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.data import DataError, find_frames
from desertseg.engine.precheck import precheck_scoring, precheck_training
from desertseg.labels import LabelError, load_labels

FALCON = load_labels("falcon")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twenty frames of one drive, every fourth of which is val."""
    for i in range(20):
        folder = tmp_path / ("train" if i % 4 else "val")
        for kind, pixels in (("images", np.zeros((6, 8, 3), np.uint8)), ("masks", np.full((6, 8), 100, np.uint16))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / kind / f"cc{i:03}.png"), pixels)
    return tmp_path


def test_warnings_come_as_lines(data: Path) -> None:
    train, val = find_frames(data, "train"), find_frames(data, "val")
    lines = precheck_training(train, val, FALCON, data)
    assert lines[0].startswith("warning: 5 of 5 frames of split val are numbered next to a train frame")
    assert lines[1:] == [f"more about these frames: desertseg check {data}"]
    assert precheck_scoring(val, FALCON, data, "val") == lines
    assert precheck_scoring(train, FALCON, data, "train") == precheck_scoring(val, FALCON, val, "val") == []
    assert precheck_scoring(val, FALCON, data / "val", "val") == []


def test_what_cannot_be_trained_on_is_refused_before_it_costs_anything(data: Path) -> None:
    train, val = find_frames(data, "train"), find_frames(data, "val")
    cv2.imwrite(str(val[1].mask), np.full((6, 8), 7, np.uint16))
    with pytest.raises(LabelError, match=r"holds id 7 .*, which label map 'falcon' does not define"):
        precheck_training(train, val, FALCON, data)
    with pytest.raises(LabelError, match="holds id 7"):
        precheck_scoring(val, FALCON, data, "val")
    cv2.imwrite(str(val[1].mask), np.full((6, 9), 100, np.uint16))
    with pytest.raises(DataError, match="is 9x6 pixels, but its image"):
        precheck_training(train, val, FALCON, data)
    assert precheck_scoring(val, FALCON, val, "val") == []  # it is left out and reported when its turn comes
