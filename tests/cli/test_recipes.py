from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group

import desertseg.engine
from desertseg.engine.recipe import Recipe, available_recipes, load_recipe, recipe_text


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, [str(a) for a in arguments])


def test_the_list_has_every_recipe_with_score_and_cost() -> None:
    text = run("recipes").output
    for name in available_recipes():
        about = load_recipe(name).about
        assert f"\n{name} " in text
        assert f"score {about.score}; {about.cost}" in text
    rows = json.loads(run("recipes", "--json").output)
    assert [row["name"] for row in rows] == available_recipes()
    assert rows[0]["size"] == [512, 896]


def test_a_name_prints_the_file(tmp_path: Path) -> None:
    assert run("recipes", "quick").output == recipe_text("quick")
    assert Recipe.from_dict(json.loads(run("recipes", "quick", "--json").output)) == load_recipe("quick")
    (tmp_path / "mine.toml").write_text("[train]\nepochs = 3\n")
    assert run("recipes", tmp_path / "mine.toml").output == "[train]\nepochs = 3\n"
    assert "did you mean 'quick'" in run("recipes", "quik").output


def test_keys_are_documented() -> None:
    text = run("recipes", "--keys").output
    assert "  epochs = 40  (a whole number; above 0)\n      Passes over the training frames.\n" in text
    rows = json.loads(run("recipes", "--keys", "--json").output)
    assert next(row for row in rows if row["name"] == "train.epochs")["default"] == "40"
    assert run("recipes", "quick", "--keys").exit_code == 2


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """The recipes that `desertseg fit` would train."""
    made: list[Recipe] = []

    def fit(data: str, out: str, recipe: Recipe | None = None, **settings: Any) -> None:
        known = {k: v for k, v in settings.items() if k not in ("overwrite", "devices", "workers", "progress")}
        made.append((recipe or Recipe()).with_settings(**known))
        raise KeyboardInterrupt

    monkeypatch.setattr(desertseg.engine, "fit", fit)
    return made


def test_set_goes_above_flags_and_flags_above_the_recipe(trained: list[Recipe]) -> None:
    base = ("fit", "--data", "x", "--out", "y", "--recipe", "quick")
    run(*base, "--epochs", 7, "--lr", 1e-3, "--set", "optimizer.learning_rate=0.5", "--set", "model.options.width=16")
    recipe = trained[0]
    assert recipe.data.size == load_recipe("quick").data.size
    assert (recipe.train.epochs, recipe.optimizer.learning_rate) == (7, 0.5)
    assert recipe.model.options == {**load_recipe("quick").model.options, "width": 16}
    run("fit", "--data", "x", "--out", "y", "--set", "model.backbone=resnet34")
    assert trained[1] == Recipe().with_settings(backbone="resnet34")


def test_a_wrong_set_is_one_line() -> None:
    result = run("fit", "--data", "x", "--out", "y", "--set", "train.epoch=5")
    assert result.exit_code == 2
    assert "unknown key 'train.epoch' (did you mean 'train.epochs'?)" in result.output
    result = run("fit", "--data", "x", "--out", "y", "--set", "train.epochs=many")
    assert "train.epochs is 'many'; expected a whole number" in result.output
