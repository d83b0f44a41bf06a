from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.engine.recipe import (
    AugmentRecipe,
    LossRecipe,
    ModelRecipe,
    OptimizerRecipe,
    Recipe,
    RecipeError,
    TrainRecipe,
    load_recipe,
    parse_change,
)

plain = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    size=st.tuples(st.integers(1, 999), st.integers(1, 999)),
    learning_rate=st.floats(1e-6, 1.0),
    scale=st.tuples(st.floats(0.1, 1.0), st.floats(1.0, 4.0)),
    options=st.dictionaries(st.text(min_size=1, max_size=5), plain, max_size=3),
    groups=st.dictionaries(st.sampled_from(["encoder", "decoder", "head"]), st.floats(0, 1)),
    class_weights=st.sampled_from(["none", "enet"]) | st.lists(st.floats(0, 9), max_size=4),
    rare_classes=st.lists(st.text(max_size=4), max_size=3),
    log=st.lists(st.sampled_from(["tensorboard", "wandb"]), max_size=2),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_recipe_survives_toml_and_json(**values: Any) -> None:
    recipe = Recipe().with_settings(**values)
    assert Recipe.from_dict(tomllib.loads(tomli_w.dumps(recipe.to_dict()))) == recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.data.size == values["size"]
    assert recipe.model.options == values["options"]


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


def test_a_name_of_two_sections_is_that_of_training() -> None:
    recipe = Recipe().with_settings(flip=0.25)
    assert (recipe.augment.flip, recipe.inference.flip) == (0.25, False)
    recipe = Recipe().with_settings(flip=0.25, **{"inference.flip": True, "augment.flip": 0.75})
    assert (recipe.augment.flip, recipe.inference.flip) == (0.75, True)


def test_changes_reach_into_tables() -> None:
    changes = {"train.epochs": 5, "model.options.width": 24, "optimizer.groups.encoder": 1}
    recipe = Recipe().with_changes(changes)
    assert (recipe.train.epochs, recipe.model.options, recipe.optimizer.groups) == (5, {"width": 24}, {"encoder": 1.0})
    again = recipe.with_changes({"model.options.aspp_channels": 64, "optimizer.groups": {}})
    assert (again.model.options, again.optimizer.groups) == ({"width": 24, "aspp_channels": 64}, {})
    assert recipe.model.options == {"width": 24}


def test_the_unset_recipe_is_the_plain_training() -> None:
    optimizer, augment = OptimizerRecipe(), dataclasses.asdict(AugmentRecipe())
    assert (optimizer.name, optimizer.learning_rate, optimizer.schedule, optimizer.warmup_epochs) == (
        "adamw",
        2e-3,
        "cosine",
        2.0,
    )
    assert (LossRecipe().name, LossRecipe().class_weights, TrainRecipe().batch_size) == ("focal_dice", "none", 8)
    pairs = {"color", "blur_sigma", "noise_std", "clahe_clip"} | {k for k in augment if k.endswith("_strength")}
    acting = {k: v for k, v in augment.items() if k not in pairs and v not in (0.0, (1.0, 1.0), ())}
    assert acting == {"flip": 0.5, "scale": (0.75, 1.5)}


def test_tuples_in_options_are_what_toml_gives_back() -> None:
    assert ModelRecipe(options={"rates": (1, (2, 3))}).options == {"rates": [1, [2, 3]]}


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("train.epochs=5", "train.epochs", 5),
        (" train.epochs = 5 ", "train.epochs", 5),
        ("model.backbone=resnet34", "model.backbone", "resnet34"),
        ('model.weights=""', "model.weights", ""),
        ("data.size=[96, 160]", "data.size", [96, 160]),
        ("optimizer.groups={encoder = 1e-5}", "optimizer.groups", {"encoder": 1e-5}),
        (
            "loss.name=0.5*cross_entropy(label_smoothing=0.1) + 0.5*dice",
            "loss.name",
            "0.5*cross_entropy(label_smoothing=0.1) + 0.5*dice",
        ),
        ("train.mixed_precision=true", "train.mixed_precision", True),
        ("data.labels=5\nother = 3", "data.labels", "5\nother = 3"),
    ],
)
def test_a_change_is_toml_or_a_word(text: str, key: str, value: Any) -> None:
    assert parse_change(text) == (key, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.epochs", r"'train.epochs' is no change of a recipe; write SECTION.KEY=VALUE"),
        ("=3", "is no change of a recipe"),
        ("train.epoch=3", r"unknown key 'train.epoch' \(did you mean 'train.epochs'\?\)"),
        ("epochs=3", r"unknown key 'epochs'; it is 'train.epochs'"),
        ("flip=1", r"unknown key 'flip'; it is 'augment.flip' or 'inference.flip'"),
        ("epoch=3", r"unknown key 'epoch' \(did you mean 'train.epochs'\?\)"),
        ("optimizer.epochs=3", r"unknown key 'optimizer.epochs'; it is 'train.epochs'"),
        ("trian.epoch=3", r"unknown key 'trian.epoch' \(did you mean 'train.epochs'\?\)"),
        ("model=upernet", r"'model' is a section; its keys are name, backbone"),
        ("xyz.at_all=3", r"unknown section \[xyz\]; sections are about, data"),
    ],
)
def test_a_wrong_change_is_answered_with_the_right_one(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_change(text)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"trian": {}}, r"unknown section \[trian\] \(did you mean 'train'\?\)"),
        ({"train": {"epoch": 3}}, r"unknown key 'train.epoch' \(did you mean 'train.epochs'\?\)"),
        ({"optimizer": {"epochs": 3}}, r"unknown key 'optimizer.epochs'; it is 'train.epochs'"),
        ({"train": {"epochs": "3"}}, r"train.epochs is '3'; expected a whole number"),
        ({"train": {"epochs": True}}, r"train.epochs is True; expected a whole number"),
        ({"train": {"epochs": 2.5}}, r"train.epochs is 2.5; expected a whole number"),
        ({"train": {"epochs": 0}}, r"train.epochs is 0; it must be positive"),
        ({"train": {"log": ["wandbb"]}}, r"train.log\[0\] is 'wandbb' \(did you mean 'wandb'\?\)"),
        ({"train": {"mixed_precision": 1}}, r"train.mixed_precision is 1; expected true or false"),
        ({"train": 3}, r"'train' is 3; it is a section"),
        ({"data": {"size": [3]}}, r"data.size is \[3\]; expected a list of 2 whole numbers"),
        ({"data": {"size": [3, 0]}}, r"data.size\[1\] is 0; it must be positive"),
        (
            {"data": {"resize": "strech"}},
            r"data.resize is 'strech' \(did you mean 'stretch'\?\); it is one of letterbox",
        ),
        ({"model": {"open_blocks": "al"}}, r"model.open_blocks is 'al' \(did you mean 'all'\?\)"),
        ({"model": {"open_blocks": -1}}, r"model.open_blocks is -1; it must be 0 or more"),
        ({"model": {"open_blocks": 1.5}}, r"model.open_blocks is 1.5; expected a whole number or a string"),
        ({"model": {"options": {"width": None}}}, r"model.options.width is None; TOML has"),
        ({"loss": {"class_weights": "medain"}}, r"loss.class_weights is 'medain' \(did you mean 'median'\?\)"),
        ({"loss": {"class_weights": [1, -1]}}, r"loss.class_weights\[1\] is -1.0; it must be 0 or more"),
        ({"loss": {"class_weights": 3}}, r"loss.class_weights is 3; expected a string or a list of numbers"),
        ({"optimizer": {"name": "adamww"}}, r"optimizer.name is 'adamww' \(did you mean 'adamw'\?\)"),
        ({"optimizer": {"learning_rate": math.nan}}, r"optimizer.learning_rate is nan; expected a number"),
        ({"optimizer": {"groups": {"encodr": 1.0}}}, r"unknown key 'optimizer.groups.encodr' \(did you mean 'encoder'"),
        ({"optimizer": {"groups": {"encoder": "1"}}}, r"optimizer.groups.encoder is '1'; expected a number"),
        ({"optimizer": {"final_learning_rate": 1.0}}, r"final_learning_rate is 1.0; it is at most the learning_rate"),
        ({"optimizer": {"layer_decay": 0}}, r"optimizer.layer_decay is 0.0; it lies above 0"),
        ({"augment": {"scale": [2.0, 1.0]}}, r"augment.scale is \[2.0, 1.0\]; it is \[smallest, largest\]"),
        ({"augment": {"flip": 2}}, r"augment.flip is 2.0; a probability"),
        ({"augment": {"tint_strength": [0, 2]}}, r"augment.tint_strength\[1\] is 2.0; it lies in 0..1"),
        ({"inference": {"scales": []}}, r"inference.scales is empty"),
    ],
)
def test_a_wrong_recipe_is_answered_with_the_right_one(data: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=f"^mine: .*{message}|^mine: {message}"):
        Recipe.from_dict(data, source="mine")


def test_sections_check_themselves() -> None:
    with pytest.raises(RecipeError, match=r"^train.epochs is 0; it must be positive"):
        TrainRecipe(epochs=0)
    assert AugmentRecipe(scale=[1, 2]).scale == (1.0, 2.0)  # type: ignore[arg-type]


def test_a_change_inside_what_is_no_table() -> None:
    with pytest.raises(RecipeError, match=r"'train.epochs.first' is no key: train.epochs is a whole number"):
        Recipe().with_changes({"train.epochs.first": 3})


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"unknown setting 'epoch' \(did you mean 'epochs'\?\)"):
        Recipe().with_settings(epoch=3)


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    recipe = Recipe().with_settings(labels="Wüste", rare_classes=["Logs"])
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(recipe.to_dict()), encoding="utf-8")
    assert load_recipe(tmp_path / "recipe.toml") == load_recipe(str(tmp_path / "recipe.toml")) == recipe


def test_a_file_that_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("epochs = = 3")
    for path in (tmp_path / "a.toml", tmp_path / "none.toml", tmp_path):
        with pytest.raises(RecipeError, match="cannot be read"):
            load_recipe(path)
    with pytest.raises(RecipeError, match=r"no recipe 'desert_bst' \(did you mean 'desert_best'\?\); shipped are "):
        load_recipe("desert_bst")
