from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from desertseg.report import draw_class_metrics, draw_reliability
from desertseg.report.calibration import _title


def diagram(path: Path, accuracy: float) -> np.ndarray:
    bins = [
        {"low": i / 15, "high": (i + 1) / 15, "count": 10 * i, "confidence": (i + 0.5) / 15 if i else None}
        | {"accuracy": accuracy if i else None}
        for i in range(15)
    ]
    draw_reliability(path, {"bins": bins, "ece": 0.1})
    return cv2.imread(str(path))


def blue(picture: np.ndarray) -> int:
    """Pixels of the accuracy's bars."""
    return int((np.abs(picture.astype(int) - np.array([0x9E, 0x6F, 0x2B])).sum(-1) < 12).sum())


def test_the_bars_are_as_high_as_the_accuracy(tmp_path: Path) -> None:
    low, high = blue(diagram(tmp_path / "low.png", 0.05)), blue(diagram(tmp_path / "high.png", 0.1))
    assert 1.7 < high / low < 2.4  # the legend's patch is part of both


def test_the_title_says_what_the_temperature_mends() -> None:
    assert _title({"ece": 0.05}) == "Reliability: calibration error 0.0500"
    fitted = {"ece": 0.05, "temperature": 1.234, "ece_scaled": 0.01}
    assert _title(fitted) == "Reliability: calibration error 0.0500, with temperature 1.23: 0.0100"


def test_class_metrics_are_drawn_where_a_class_has_no_precision(tmp_path: Path) -> None:
    per_class = {f"per_class_{key}": {"Sky": 0.9, "Logs": None} for key in ("iou", "precision", "recall", "dice")}
    draw_class_metrics(tmp_path / "m.png", {**per_class, "miou": None, "definition": "nothing to take a mean of"})
    picture = cv2.imread(str(tmp_path / "m.png"))
    assert min(picture.shape[:2]) > 300
    assert picture.std() > 10
