"""What a recipe asks for and cannot have is refused before a frame is looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from desertseg.engine.plan import make_plan
from desertseg.engine.recipe import Recipe
from desertseg.errors import UserError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment.rare_classes": ["Log"]}, r"augment.rare_classes names 'Log' \(did you mean 'Logs'\?\); label map"),
        ({"train.monitor": "iou:Rock"}, r"train.monitor is 'iou:Rock' \(did you mean 'iou:Rocks'\?\)"),
        ({"loss.class_weights": [1.0, 2.0]}, "loss.class_weights has 2 weights for 10 classes"),
        ({"loss.name": "dice", "loss.class_weights": "enet"}, "no term of 'dice' takes them"),
        ({"model.weights": "gone.pth"}, "gone.pth"),
        ({}, "nowhere"),
    ],
)
def test_what_cannot_be_had(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_plan("nowhere", Recipe().with_changes({"data.labels": "falcon", **changes}))


def test_the_layout_chooses_the_label_map(tmp_path: Path) -> None:
    for split, count in (("train", 2), ("valid", 1)):
        for i in range(count):
            frame = tmp_path / split / f"iid{i:06}"
            frame.mkdir(parents=True)
            cv2.imwrite(str(frame / "rgb.jpg"), np.zeros((4, 6, 3), np.uint8))
            cv2.imwrite(str(frame / "labels.png"), np.full((4, 6), 8, np.uint8))
    plan = make_plan(tmp_path, Recipe().with_settings(batch_size=2))
    assert (plan.labels.name, plan.recipe.data.labels) == ("ycor", "ycor")
    assert plan.notes == (f"labels: ycor, 8 classes, as {tmp_path} is laid out like ycor",)
    plan = make_plan(tmp_path, Recipe().with_settings(batch_size=2, labels="goose"))
    assert (plan.labels.name, plan.notes) == ("goose", ())


def test_a_resolved_recipe_leaves_its_weights_alone() -> None:
    recipe = Recipe().with_changes({"model.name": "deeplabv3plus", "model.weights": "gone.pth"})
    with pytest.raises(UserError, match="nowhere"):
        make_plan("nowhere", recipe, resolved=True)
