"""A check as lines and as a page, of values as --json writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from desertseg.report.check import check_lines, compose_check
from desertseg.report.page import render_page


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    pictures = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for picture in pictures:
        cv2.imwrite(picture, np.zeros((9, 16, 3), np.uint8))
    unreadable = {
        "severity": "error",
        "code": "unreadable-image",
        "message": "5 images cannot be read",
        "fix": "copy them again",
        "files": [[f"train/{i}.png", "is empty"] for i in range(5)],
        "count": 25,
        "fixable": True,
    }
    near = {**unreadable, "severity": "note", "code": "near", "message": "1 <pair>", "files": [["a", "b"]], "count": 1}
    return {
        "data": "falcon",
        "labels": "falcon",
        "frames": 1300,
        "errors": 1,
        "warnings": 0,
        "exit_code": 2,
        "splits": {"train": 1200, "val": 100},
        "sizes": {"960x540": 1300},
        "classes": {"Sky": {"train": 0.5, "val": 0.0}},
        "findings": [unreadable, near],
        "repairs": [],
        "examples": {"near": [pictures], "unreadable-image": [["nowhere.png", "b.png"]]},
    }


def test_lines(values: dict[str, Any]) -> None:
    lines = check_lines(values, 60)
    assert lines[0] == "1,300 frames (train 1,200, val 100) of 960x540"
    assert lines[2:5] == [
        "error    5 images cannot be read",
        "         -> copy them again",
        "         train/0.png: is empty",
    ]
    assert "         and 22 more" in lines
    assert lines[-1] == "1 error, 1 note."
    assert max(map(len, lines)) <= 60


def test_clean_lines(values: dict[str, Any]) -> None:
    assert check_lines({**values, "findings": [], "errors": 0})[-1] == "Clean."


def test_page(values: dict[str, Any]) -> None:
    page = render_page(compose_check(values, "falcon"))
    assert "Check of falcon" in page
    assert "5 images cannot be read" in page
    assert "1 &lt;pair&gt;" in page
    assert page.count("data:image/png;base64,") == 2
    assert "the first 5 of 25" in page
    clean = render_page(compose_check({**values, "findings": [], "errors": 0, "examples": {}}, "falcon"))
    assert "Nothing was found" in clean
