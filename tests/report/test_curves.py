from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.labels import load_labels
from desertseg.report import draw_class_history, draw_curves
from desertseg.report.curves import _spread

FALCON = load_labels("falcon")


def rows(count: int, **more: object) -> list[dict]:
    return [
        {
            "epoch": e, "loss": 1 / e, "miou": e / 9, "val_loss": 2 / e, "val_miou": e / 10, "learning_rate": 0.1 / e,
            "val_iou": {n: None if n == "Logs" else i / 10 for i, n in enumerate(FALCON.names)}, **more,
        }
        for e in range(1, count + 1)
    ]  # fmt: skip


def colors(path: Path) -> set[tuple[int, ...]]:
    packed = np.unique(cv2.imread(str(path)).astype(np.int64) @ [1, 256, 65536])
    return {(c >> 16, c >> 8 & 255, c & 255) for c in packed.tolist()}


@pytest.mark.parametrize("count", [1, 4])
def test_curves_show_what_there_is(count: int, tmp_path: Path) -> None:
    green = (0x5B, 0x8C, 0x3A)
    draw_curves(tmp_path / "plain.png", rows(count))
    draw_curves(tmp_path / "ema.png", rows(count, ema_val_miou=0.5, ema_val_loss=1.0))
    assert green not in colors(tmp_path / "plain.png")
    assert green in colors(tmp_path / "ema.png")
    assert min(cv2.imread(str(tmp_path / "plain.png")).shape[:2]) > 600


def test_an_epoch_without_a_value_is_a_gap_and_no_error(tmp_path: Path) -> None:
    history = rows(4)
    history[1] |= {"val_miou": None, "val_loss": None, "miou": None}
    draw_curves(tmp_path / "gap.png", history)
    draw_curves(tmp_path / "none.png", [{"epoch": 1, "learning_rate": None}])
    draw_class_history(tmp_path / "classes.png", [{"epoch": 1}], FALCON)
    assert all(cv2.imread(str(p)).std() > 5 for p in tmp_path.iterdir())


def test_every_class_is_drawn_in_its_color_but_the_absent(tmp_path: Path) -> None:
    draw_class_history(tmp_path / "classes.png", rows(3), FALCON)
    found = colors(tmp_path / "classes.png")
    shown = {n for n, c in zip(FALCON.names, FALCON.colors.tolist(), strict=True) if tuple(c) in found}
    assert shown == set(FALCON.names) - {"Logs"}


def test_an_epoch_shows_the_weights_that_it_was_judged_on(tmp_path: Path) -> None:
    only_sky = {"Sky": 0.5}
    draw_class_history(tmp_path / "raw.png", rows(3, weights="raw", ema_val_iou=only_sky), FALCON)
    draw_class_history(tmp_path / "ema.png", rows(3, weights="ema", ema_val_iou=only_sky), FALCON)
    flowers = tuple(FALCON.colors[FALCON.names.index("Flowers")].tolist())
    assert flowers in colors(tmp_path / "raw.png")
    assert flowers not in colors(tmp_path / "ema.png")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_names_stand_apart_and_near(values: list[float]) -> None:
    values, step = sorted(values), 0.05
    places = _spread(values, step)
    assert all(b - a > step - 1e-9 for a, b in pairwise(places))
    assert min(places) > -1e-9
    assert max(places) < 1 + 1e-9
    apart = all(b - a > step for a, b in pairwise(values))
    if apart:
        np.testing.assert_allclose(places, values, atol=1e-9)
