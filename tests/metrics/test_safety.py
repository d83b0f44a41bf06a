from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from desertseg.labels import LabelClass, LabelMap, load_labels
from desertseg.metrics.safety import safety

LABELS = LabelMap(
    "yard",
    (
        LabelClass("Wall", (1,), (255, 0, 0), 100),
        LabelClass("Fence", (2,), (0, 255, 0), 80),
        LabelClass("Bush", (3,), (0, 0, 255), 60),
        LabelClass("Lawn", (4,), (9, 9, 9), 40),
        LabelClass("Path", (5,), (8, 8, 8), 0),
        LabelClass("Air", (6,), (7, 7, 7)),
    ),
)
CONFUSION = np.array(
    [
        [50, 5, 10, 20, 5, 10],  # of 100 Wall pixels 25 are called drivable
        [0, 0, 0, 0, 0, 0],
        [9, 9, 9, 9, 9, 9],  # neither
        [3, 2, 5, 90, 0, 0],  # of 100 Lawn pixels 5 are called an obstacle
        [0, 0, 0, 0, 300, 0],
        [0, 0, 0, 99, 0, 0],  # no cost: air called lawn is no false-safe pixel
    ]
)


def test_by_hand() -> None:
    found = safety(CONFUSION, LABELS)
    assert found is not None
    assert found.pop("definition").startswith("false-safe rate")
    assert json.loads(json.dumps(found)) == {
        "false_safe_rate": 0.25,
        "false_safe_pixels": 25,
        "obstacle_pixels": 100,
        "false_alarm_rate": 5 / 400,
        "per_class": {"Wall": 0.25, "Fence": None},
        "obstacles": ["Wall", "Fence"],
        "drivable": ["Lawn", "Path"],
    }


def test_a_pixel_without_an_answer_is_in_the_denominator() -> None:
    found = safety(CONFUSION, LABELS, unanswered=np.array([25, 0, 0, 100, 0, 0]))
    assert found is not None
    assert found["false_safe_rate"] == 25 / 125
    assert found["false_alarm_rate"] == 5 / 500


def test_without_costs_there_is_nothing_to_say() -> None:
    plain = replace(LABELS, classes=tuple(replace(c, cost=None) for c in LABELS.classes))
    only_walls = replace(LABELS, classes=tuple(replace(c, cost=90) for c in LABELS.classes))
    assert safety(CONFUSION, plain) is None
    assert safety(CONFUSION, only_walls) is None


def test_without_pixels_there_is_no_rate() -> None:
    found = safety(np.zeros((6, 6), int), LABELS)
    assert found is not None
    assert found["false_safe_rate"] is found["false_alarm_rate"] is None


@pytest.mark.parametrize("name", ["falcon", "falcon7", "falcon_starter"])
def test_falcon_maps_have_both_kinds(name: str) -> None:
    labels = load_labels(name)
    found = safety(np.eye(labels.num_classes, dtype=int), labels)
    assert found is not None
    assert found["false_safe_rate"] == found["false_alarm_rate"] == 0
    assert "Rocks" in found["obstacles"]
    assert "Landscape" in found["drivable"]
