from __future__ import annotations

import json
import math

import numpy as np
import pytest

from desertseg.engine.history import TIMED, history_row, plain, scalars
from desertseg.engine.keeper import Keeper
from desertseg.metrics import Scores

NAMES = ("Ground", "Rocks", "Logs")
TRAIN = Scores(np.array([[9, 1, 0], [0, 10, 0], [0, 0, 0]]), NAMES)
RAW = Scores(np.array([[4, 2, 0], [1, 3, 0], [0, 0, 0]]), NAMES)
EMA = Scores(np.array([[5, 1, 0], [1, 3, 0], [0, 0, 0]]), NAMES)


def row_of(measured: dict, **given: float) -> dict:
    verdict = Keeper("miou", NAMES).judge(3, measured)
    return history_row(3, TRAIN, np.float32(0.5), measured, 1e-3, verdict, seconds=4.0, images=80, **given)


def test_a_row_says_what_was_measured_of_which_weights() -> None:
    row = row_of({"raw": (RAW, 0.75), "ema": (EMA, 0.625)}, waited=1.0, device_memory=3 << 20)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["memory_mib"] > 1
    expected = {
        "epoch": 3, "loss": 0.5, "miou": (9 / 10 + 10 / 11) / 2,
        "val_loss": 0.75, "val_miou": RAW.miou, "val_pixel_accuracy": 0.7,
        "ema_val_loss": 0.625, "ema_val_miou": EMA.miou, "ema_val_pixel_accuracy": 0.8,
        "gap": (9 / 10 + 10 / 11) / 2 - RAW.miou, "monitor": EMA.miou, "weights": "ema", "learning_rate": 1e-3,
        "seconds": 4.0, "images_per_second": 20.0, "data_wait": 0.25, "device_memory_mib": 3.0,
    }  # fmt: skip
    assert {k: v for k, v in row.items() if k in expected} == pytest.approx(expected)
    assert row["val_iou"] == {"Ground": pytest.approx(4 / 7), "Rocks": 0.5, "Logs": None}
    assert row["ema_val_iou"]["Rocks"] == pytest.approx(3 / 5)
    assert set(row) - set(expected) == {"memory_mib", "val_iou", "ema_val_iou"}
    assert set(row) > TIMED


def test_without_averaged_weights_their_columns_are_absent() -> None:
    row = row_of({"raw": (RAW, 0.75)})
    assert not [k for k in row if k.startswith("ema_")]
    assert row["weights"] == "raw"
    assert row["data_wait"] == 0
    assert "device_memory_mib" not in row


def test_what_has_no_value_is_none_and_no_scalar() -> None:
    row = row_of({"raw": (Scores(np.zeros((3, 3), int), NAMES), math.nan)})
    assert [row[k] for k in ("val_loss", "val_miou", "gap", "monitor")] == [None] * 4
    assert plain({"a": np.float64("inf"), "b": np.int64(3), "c": "x", "d": True, "e": None}) == {
        "a": None, "b": 3, "c": "x", "d": True, "e": None,
    }  # fmt: skip
    found = scalars({"loss": 0.5, "gap": None, "weights": "raw", "val_iou": {"Rocks": 0.25, "Logs": None}, "epoch": 3})
    assert found == {"loss": 0.5, "val_iou/Rocks": 0.25, "epoch": 3.0}
