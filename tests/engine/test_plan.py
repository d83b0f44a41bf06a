"""What a recipe asks for and cannot have is refused before a frame is looked for."""

from __future__ import annotations

from typing import Any

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
        make_plan("nowhere", Recipe().with_changes(changes))


def test_a_resolved_recipe_leaves_its_weights_alone() -> None:
    recipe = Recipe().with_changes({"model.name": "deeplabv3plus", "model.weights": "gone.pth"})
    with pytest.raises(UserError, match="nowhere"):
        make_plan("nowhere", recipe, resolved=True)
