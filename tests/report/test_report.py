from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.labels import load_labels
from desertseg.metrics import Scores
from desertseg.report import draw_confusion, draw_overlay, draw_per_class, score_lines
from desertseg.report.overlay import draw_legend

FALCON = load_labels("falcon")


def confusion() -> np.ndarray:
    matrix = np.random.default_rng(0).integers(0, 1000, (10, 10)) + 5000 * np.eye(10, dtype=np.int64)
    matrix[6] = 0  # no log in the truth
    return matrix.astype(np.int64)


def test_overlay_tints_every_pixel_but_the_ignored(tmp_path: Path) -> None:
    image = np.full((60, 90, 3), 100, np.uint8)
    labels = np.full((60, 90), 9, np.uint8)
    labels[30:] = 8
    labels[:10, :10] = 255
    overlay = draw_overlay(image, labels, FALCON, alpha=0.5)
    np.testing.assert_array_equal(overlay[5, 5], [100, 100, 100])
    np.testing.assert_allclose(overlay[20, 50], (100 + FALCON.colors[9].astype(float)) / 2, atol=1)
    np.testing.assert_allclose(overlay[50, 50], (100 + FALCON.colors[8].astype(float)) / 2, atol=1)
    assert overlay.shape[0] == 60


def test_legend_shows_the_classes_present_and_no_other() -> None:
    labels = np.full((200, 300), 9, np.uint8)
    labels[:20] = 7
    legend = draw_legend(labels, FALCON, 200)
    swatches = {tuple(c) for c in legend.reshape(-1, 3).tolist()}
    shown = {n for n, c in zip(FALCON.names, FALCON.colors.tolist(), strict=True) if tuple(c) in swatches}
    assert shown == {"Sky", "Rocks"}


def test_every_plot_is_drawn(tmp_path: Path) -> None:
    scores = Scores(confusion())
    draw_per_class(tmp_path / "classes.png", scores, FALCON)
    draw_confusion(tmp_path / "confusion.png", scores.confusion, FALCON.names)
    for path in tmp_path.iterdir():
        picture = cv2.imread(str(path))
        assert min(picture.shape[:2]) > 300
        assert picture.std() > 10


def test_the_table_says_what_each_mean_is() -> None:
    scores = Scores(confusion())
    lines = score_lines(scores, FALCON)
    row = next(line for line in lines if line.startswith("Trees"))
    assert float(row.split()[1]) == pytest.approx(scores.per_class_iou[0], abs=5e-5)
    assert "absent from the truth" in next(line for line in lines if line.startswith("Logs"))
    text = "\n".join(lines)
    assert f"{scores.miou:.4f}   {scores.definition}" in text
    assert f"{scores.miou_all:.4f}   {scores.definition_all}" in text
    assert f"{int(scores.confusion.sum()):,} pixels" in text
