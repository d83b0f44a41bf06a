"""The weights that ship: each as its card says, and usable by name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from desertseg.data.synthetic import write_dataset
from desertseg.engine import evaluate, load_segmenter
from desertseg.engine.network import resolve_model
from desertseg.engine.recipe import ModelRecipe, load_recipe
from desertseg.errors import UserError
from desertseg.models import describe_weights
from desertseg.models.shipped import available_checkpoints, find_checkpoint


@pytest.mark.parametrize("name", available_checkpoints())
def test_a_shipped_model_is_what_its_card_says(name: str) -> None:
    path = find_checkpoint(name)
    card = path.with_suffix(".md").read_text()
    content = path.read_bytes()
    assert len(content) <= 10_000_000
    assert hashlib.sha256(content).hexdigest() in card
    for word in ("Data", "Seed", "Recipe", "Command", "Licence", "canyon"):
        assert re.search(rf"\b{word}\b", card), word


def test_the_small_model_knows_a_desert_that_it_has_not_seen_the_frames_of(tmp_path: Path) -> None:
    """Frames of another seed, at a tenth of the pixels that it was trained on, score far above chance (0.1)."""
    write_dataset(tmp_path / "desert", train=0, val=4, size=(192, 320), seed=7)
    found = evaluate("desert-small", tmp_path / "desert", out=tmp_path / "scores", progress=False)
    assert found.scores.miou > 0.3
    assert found.scores.pixel_accuracy > 0.7


def test_its_recipe_is_the_shipped_one() -> None:
    saved = load_segmenter("desert-small").recipe
    shipped = load_recipe("desert_small").to_dict()
    assert {k: saved[k] for k in ("data", "loss", "optimizer", "augment", "train")} == {
        k: shipped[k] for k in ("data", "loss", "optimizer", "augment", "train")
    }


def test_training_starts_from_it_by_name() -> None:
    model = resolve_model(ModelRecipe(weights="desert-small"))
    assert (model.name, model.backbone, model.options["width"]) == ("deeplabv3plus", "resnet18", 24)
    assert describe_weights("desert-small").num_classes == 10


def test_the_file_holds_finite_weights() -> None:
    for variable in load_segmenter("desert-small").variables:
        assert np.isfinite(np.asarray(variable.value)).all(), variable.path


def test_an_unknown_model_is_answered_with_the_shipped_ones() -> None:
    with pytest.raises(UserError, match=r"model desert_small does not exist;.*desert-small ships with the package"):
        load_segmenter("desert_small")
