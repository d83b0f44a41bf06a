from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from desertseg.engine import plots
from desertseg.engine.plots import RunPlots
from desertseg.labels import load_labels

LABELS = load_labels("falcon")
ROWS = [{"epoch": 1, "loss": 1.0, "miou": 0.1, "val_loss": 2.0, "val_miou": 0.1, "val_iou": {"Sky": 0.5}}]


def test_drawing_takes_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, now = [], [0.0]

    def draw(path: Path, history: list, *labels: object) -> None:
        path.write_bytes(b"png")
        drawn.append(len(history))
        now[0] += 0.3

    monkeypatch.setattr(plots, "draw_curves", draw)
    monkeypatch.setattr(plots, "draw_class_history", draw)
    run = RunPlots(tmp_path, LABELS, clock=lambda: now[0])
    done = []
    for epoch in range(1, 101):
        now[0] += 1.0
        done += [epoch] if run.draw(ROWS * epoch) else []
    assert done[:3] == [1, 22, 43]  # 0.6 s is 3 % of 20 s
    assert run.draw(ROWS * 101, last=True)
    assert drawn[-2:] == [101, 101]
    now[0] += 30
    assert run.draw(ROWS)


def test_both_pictures_are_drawn(tmp_path: Path) -> None:
    run = RunPlots(tmp_path, LABELS)
    assert run.draw(ROWS)
    assert {p.name for p in (tmp_path / "plots").iterdir()} == {"curves.png", "class_iou.png"}
    assert all(cv2.imread(str(p)).std() > 10 for p in (tmp_path / "plots").iterdir())


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "plots").write_text("a file in the way")
    run = RunPlots(tmp_path, LABELS)
    run.draw(ROWS)
    assert run.problem.startswith(f"{tmp_path / 'plots'} cannot be written: ")
