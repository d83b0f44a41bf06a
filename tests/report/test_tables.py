from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from desertseg.labels import load_labels
from desertseg.metrics import Scores
from desertseg.report import metrics_text, score_lines

FALCON = load_labels("falcon")


def scores() -> Scores:
    matrix = np.random.default_rng(0).integers(0, 1000, (10, 10)) + 5000 * np.eye(10, dtype=np.int64)
    matrix[6] = 0  # no log in the truth
    return Scores(matrix.astype(np.int64), FALCON.names)


def test_means_are_printed_with_interval_and_definition() -> None:
    first = SimpleNamespace(
        key="miou", name="mIoU", value=0.5, definition="of this", by_frame=(0.4, 0.6), by_scene=None
    )
    second = {"key": "x", "name": "a mean of a long name", "value": None, "definition": "of that"}
    lines = score_lines(scores(), FALCON, means=[first, second], intervals={"Trees": {"by_frame": (0.11, 0.22)}})
    known, unknown = (next(line for line in lines if line.startswith(m)) for m in ("mIoU", "a mean of a long name"))
    assert re.fullmatch(r"mIoU +0\.5000 +0\.4000–0\.6000 +of this", known)
    assert re.fullmatch(r"a mean of a long name +n/a +of that", unknown)
    row = next(line for line in lines if line.startswith("Trees"))
    assert "0.1100–0.2200" in row
    assert "frames drawn again" in "\n".join(lines)
    assert known.index("of this") == unknown.index("of that")


def test_columns_stand_under_their_titles() -> None:
    lines = score_lines(scores(), FALCON, intervals={"Trees": {"by_frame": (0.11, 0.22)}})
    head, trees = lines[0], next(line for line in lines if line.startswith("Trees"))
    for title in ("IoU", "Dice", "precision", "recall", "pixels %"):
        end = head.index(title) + len(title)
        assert re.fullmatch(r"\d", trees[end - 1]), title
        assert trees[end : end + 1] in ("", " ")
    assert len({len(line) for line in lines[:12]}) == 1


def test_the_text_file_begins_as_the_organisers_scripts_write_it(evaluation_folder: Path) -> None:
    values = json.loads((evaluation_folder / "evaluation.json").read_text())
    text = "\n".join(metrics_text(values))
    assert text.startswith("EVALUATION RESULTS\n" + "=" * 50 + f"\nMean IoU:          {values['miou']:.4f}\n")
    section = text.split("Per-Class IoU:\n" + "-" * 40 + "\n")[1].split("\n\n")[0]
    read = dict(re.fullmatch(r"  (.*\S) *: (\S+)", line).groups() for line in section.splitlines())
    assert list(read) == list(values["per_class_iou"])
    assert read.pop("Flowers") == "N/A"
    assert {n: float(v) for n, v in read.items()} == pytest.approx(
        {n: v for n, v in values["per_class_iou"].items() if n != "Flowers"}, abs=5e-5
    )
    assert values["definition"] in text
    assert "only to compare" in text
