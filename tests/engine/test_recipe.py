from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.engine.recipe import Recipe, RecipeError, load_recipe


@given(
    size=st.tuples(st.integers(1, 999), st.integers(1, 999)),
    epochs=st.integers(1, 99),
    learning_rate=st.floats(1e-6, 1.0),
    scale=st.tuples(st.floats(0.1, 1.0), st.floats(1.0, 4.0)),
)
@settings(max_examples=20, deadline=None)
def test_a_recipe_survives_toml(tmp_path_factory, size, epochs, learning_rate, scale) -> None:
    recipe = Recipe().with_settings(size=size, epochs=epochs, learning_rate=learning_rate, scale=scale)
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(tomli_w.dumps(recipe.to_dict()))
    assert load_recipe(path) == recipe
    assert recipe.data.size == size


def test_settings_reach_their_sections() -> None:
    recipe = Recipe().with_settings(model="deeplabv3", loss="dice", backbone="resnet50", seed=7)
    assert (recipe.model.name, recipe.loss.name, recipe.model.backbone, recipe.train.seed) == (
        "deeplabv3",
        "dice",
        "resnet50",
        7,
    )
    assert recipe.with_settings(learning_rate=1).optimizer.learning_rate == 1.0
    assert Recipe() == Recipe().with_settings()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"trian": {}}, r"unknown section \[trian\] \(did you mean 'train'\?\)"),
        ({"train": {"epoch": 3}}, r"unknown key 'train.epoch' \(did you mean 'train.epochs'\?\)"),
        ({"train": {"epochs": "3"}}, r"train.epochs is '3'; expected a whole number"),
        ({"train": {"epochs": True}}, r"train.epochs is True; expected a whole number"),
        ({"train": {"epochs": 0}}, r"train.epochs is 0; it must be positive"),
        ({"train": 3}, r"'train' is 3; it is a section"),
        ({"data": {"size": [3]}}, r"data.size is \[3\]; expected 2 whole numbers"),
        ({"augment": {"scale": [2.0, 1.0]}}, r"augment.scale"),
        ({"augment": {"flip": 2}}, r"augment.flip is 2.0; a probability"),
    ],
)
def test_a_wrong_recipe_is_answered_with_the_right_one(data: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict(data)


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"unknown setting 'epoch' \(did you mean 'epochs'\?\)"):
        Recipe().with_settings(epoch=3)


def test_a_file_that_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("epochs = = 3")
    for path in (tmp_path / "a.toml", tmp_path / "none.toml"):
        with pytest.raises(RecipeError, match="cannot be read"):
            load_recipe(path)
