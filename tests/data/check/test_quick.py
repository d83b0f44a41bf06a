"""The part of a check that fit and evaluate run."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from desertseg.data import find_frames
from desertseg.data.check import Finding, check_quickly
from desertseg.data.check.quick import warning_lines
from desertseg.labels import load_labels


def check(data: Path) -> list[Finding]:
    return check_quickly({s: find_frames(data, s) for s in ("train", "val")}, load_labels("falcon"))


def test_clean_data_are_clean(clean_data: Path) -> None:
    assert check(clean_data) == []
    assert warning_lines([], clean_data) == []


def test_what_is_told(data: Path) -> None:
    masks = data / "train/Segmentation"
    cv2.imwrite(str(masks / "cc0000000.png"), np.full((48, 80), 200, np.uint8))
    cv2.imwrite(str(masks / "cc0000001.png"), np.full((48, 80), 45, np.uint16))
    cv2.imwrite(str(masks / "cc0000002.png"), np.full((24, 80), 100, np.uint16))
    (masks / "cc0000003.png").write_bytes((masks / "cc0000003.png").read_bytes()[:-20])
    found = [(f.severity, f.code, f.message) for f in check(data)]
    assert [f[:2] for f in found] == [
        ("error", "unusable"),
        ("error", "unknown-ids"),
        ("error", "unusable"),
        ("warning", "mask-depth"),
    ]
    assert "80x24 pixels, but its image" in found[0][2]
    assert "holds id 45" in found[1][2]
    assert "cut off" in found[2][2]
    assert warning_lines(check(data), data) == [
        "warning: 1 of 11 masks have 8 bits a pixel, the others 16; take the original 16-bit masks",
        f"more about these frames: desertseg check {data}",
    ]
