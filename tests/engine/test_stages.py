"""A backbone that is closed for the first epochs: what stands still, what moves, and what goes on behind them."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from desertseg.engine.devices import Devices
from desertseg.engine.plan import Plan
from desertseg.engine.recipe import Recipe
from desertseg.engine.stages import Stages
from desertseg.labels import load_labels
from desertseg.losses import CrossEntropy
from desertseg.models import Segmenter


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Of a backbone with batch normalisation and a classifier, closed for one epoch of two."""

    def build_network(*arguments: object, **given: object) -> tuple[Segmenter, list[str]]:
        inputs = keras.Input((None, None, 3))
        x = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(4, 1, name="conv")(inputs))
        backbone = keras.Model(inputs, x, name="backbone")
        network = keras.Model(inputs, keras.layers.Conv2D(10, 1, name="classifier")(backbone(inputs)))
        network.backbone = backbone
        return Segmenter(network, load_labels("falcon"), (4, 6)), []

    monkeypatch.setattr("desertseg.engine.stages.build_network", build_network)
    recipe = Recipe().with_changes({"data.size": [4, 6], "train.frozen_epochs": 1, "optimizer.ema_decay": 0.5})
    return Stages(Plan(Path(), recipe, load_labels("falcon"), [], [], 1), CrossEntropy(), Devices())


def values(segmenter: Segmenter) -> dict[str, np.ndarray]:
    return {v.path: np.array(keras.ops.convert_to_numpy(v.value)) for v in segmenter.variables}


def moved(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    return {name for name, value in after.items() if not np.array_equal(value, before[name])}


def test_a_closed_backbone_stands_still_and_averages_go_on_when_it_opens(stages: Stages) -> None:
    random = np.random.default_rng(0)
    affine = np.tile(np.eye(2, 3, dtype=np.float32), (2, 1, 1))
    batch = (
        {"image": random.integers(0, 256, (2, 4, 6, 3), np.uint8), "affine": affine},
        random.integers(0, 10, (2, 4, 6), np.uint8),
    )
    assert [stages.of_epoch(epoch) for epoch in range(3)] == [0, 1, 1]
    start = values(stages.segmenter)
    closed = stages.program(0)
    closed.step(batch, 0.1, 1)
    averages = closed.averages()
    middle = values(stages.segmenter)
    assert moved(start, middle) == {"classifier/kernel", "classifier/bias"}

    opened = stages.program(1, averages)
    assert moved(middle, values(stages.segmenter)) == set()
    with opened.averaged():
        begun = values(stages.segmenter)
    assert moved(middle, begun) == {"classifier/kernel", "classifier/bias"}  # the others' averages begin as they are
    kernel = next(v for v in stages.segmenter.variables if v.path == "classifier/kernel")
    np.testing.assert_array_equal(begun["classifier/kernel"], averages[id(kernel)])
    opened.step(batch, 0.1, 2)
    opened.publish()
    assert moved(middle, values(stages.segmenter)) == set(middle)  # the moving statistics among them
