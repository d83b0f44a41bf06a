"""Every shipped recipe trains, evaluates and predicts, on 12 synthetic frames at a tiny size from random weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from desertseg.engine import evaluate, fit, load_segmenter, predict
from desertseg.engine.recipe import Recipe, available_recipes, load_recipe
from desertseg.labels import load_labels

pytestmark = pytest.mark.slow

FRAMES = {"train": 8, "val": 4}


@pytest.fixture(scope="module")
def desert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from desertseg.data.synthetic import write_dataset

    folder = tmp_path_factory.mktemp("data") / "desert"
    write_dataset(folder, **FRAMES, size=(72, 128), seed=3)
    return folder


def tiny(recipe: Recipe) -> Recipe:
    """Return a recipe that costs seconds and still does all that the whole one does."""
    changes: dict[str, Any] = {
        "data.size": [56, 98],  # multiples of 14, for DINOv2
        "model.weights": "",
        "train.epochs": 1 + bool(recipe.train.frozen_epochs),
        "train.frozen_epochs": min(1, recipe.train.frozen_epochs),
        "train.batch_size": 2,
    }
    return recipe.with_changes(changes)


@pytest.mark.parametrize("name", available_recipes())
def test_a_recipe_runs_end_to_end(name: str, desert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESERTSEG_CACHE", str(tmp_path / "cache"))
    recipe = tiny(load_recipe(name))
    run = fit(desert, tmp_path / "run", recipe, progress=False)

    rows = json.loads((run.folder / "history.json").read_text())
    assert [row["epoch"] for row in rows] == list(range(1, recipe.train.epochs + 1))
    for row in rows:
        assert math.isfinite(row["loss"])
        assert math.isfinite(row["val_loss"])
    written = load_recipe(run.folder / "recipe.toml")
    for section in ("about", "data", "loss", "optimizer", "augment", "train", "inference"):
        assert getattr(written, section) == getattr(recipe, section)

    evaluation = evaluate(run.best, desert, tta=True, progress=False)
    assert evaluation.frames == FRAMES["val"]
    assert 0 <= evaluation.scores.miou <= 1
    predictions = predict(run.best, desert / "val" / "Color_Images", tmp_path / "predictions", progress=False)
    assert (len(predictions.masks), predictions.failures) == (FRAMES["val"], ())

    segmenter = load_segmenter(run.best)
    assert segmenter.labels == load_labels(recipe.data.labels)
    frame = cv2.imread(str(next((desert / "val" / "Color_Images").iterdir())))[..., ::-1]
    logits = np.asarray(segmenter(frame[None].astype(np.float32), training=False))
    assert logits.shape == (1, 72, 128, segmenter.labels.num_classes)
    assert np.isfinite(logits).all()
