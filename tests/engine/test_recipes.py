"""The shipped recipes, their list and the documentation of keys."""

from __future__ import annotations

import dataclasses
import re
import tomllib

import numpy as np
import pytest

from desertseg.data import Augmentation
from desertseg.engine.losses import build_loss, needs_counts
from desertseg.engine.network import resolve_model
from desertseg.engine.recipe import AugmentRecipe, Recipe, available_recipes, load_recipe, recipe_text
from desertseg.engine.recipe.keys import describe_sections, list_keys
from desertseg.engine.recipe.listing import list_recipes
from desertseg.engine.recipe.recipe import sections_of
from desertseg.engine.recipe.sections import hints_of
from desertseg.labels import load_labels
from desertseg.models.weights import presets_for
from desertseg.models.zoo import network_spec, options_of

NAMES = available_recipes()
OF_OTHERS = {
    "codecrunch_r101": (0.7459, 0.4475),
    "deeplabv3_r50_256": (0.561,),
    "deeplabv3_r50_steplr": (0.2537, 0.6068),
    "dinov2_phase1": (0.2971,),
    "dinov2_phase2": (0.4036,),
    "dinov2_phase3": (0.5161,),
    "dinov2_phase4": (0.5368, 0.5527),
    "dinov2_vits_convnext": (0.3603,),
}


def test_every_system_and_our_own_are_there() -> None:
    assert {*OF_OTHERS, "desert_best", "desert_small", "quick"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_names_what_there_is(name: str) -> None:
    recipe = load_recipe(name)
    labels = load_labels(recipe.data.labels.replace("auto", "falcon"))
    spec = network_spec(recipe.model.name)
    model = resolve_model(dataclasses.replace(recipe.model, weights=""))
    assert set(model.options) <= options_of(spec.architecture, model.backbone)
    assert recipe.model.weights in {"", *presets_for(spec.architecture, model.backbone)}
    if isinstance(recipe.loss.class_weights, list):
        assert len(recipe.loss.class_weights) == labels.num_classes
    assert set(recipe.augment.rare_classes) <= set(labels.names)
    assert recipe.train.frozen_epochs < recipe.train.epochs
    counts = np.full(labels.num_classes, 100) if needs_counts(recipe.loss) else None
    build_loss(recipe.loss, labels.num_classes, counts)
    if spec.source:  # a published system: the zoo and the recipe know the same label map and size
        assert (spec.labels, spec.size) == (recipe.data.labels, recipe.data.size)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_opens_with_score_cost_and_command(name: str) -> None:
    text = recipe_text(name)
    comment = re.match(r"(#.*\n)+", text)
    assert comment
    for part in ("# Expect: ", "# Cost:   ", "# Run:    ", f"desertseg fit --recipe {name} ", f"--out runs/{name}\n"):
        assert part in comment.group()
    about = load_recipe(name).about
    assert all(dataclasses.astuple(about))
    for score in OF_OTHERS.get(name, ()):
        assert str(score) in about.score
        assert str(score) in comment.group()
    if name not in OF_OTHERS:
        assert about.source == "desertseg"


def test_published_settings_are_those_of_the_sources() -> None:
    recipe = load_recipe("codecrunch_r101")
    labels = load_labels(recipe.data.labels.replace("auto", "falcon"))
    assert dict(zip(labels.names, recipe.loss.class_weights, strict=True))["Rocks"] == 5.0
    names = load_labels("falcon_starter").names
    for name in ("dinov2_phase2", "dinov2_phase3", "dinov2_phase4", "dinov2_vits_convnext"):
        weights = dict(zip(names, load_recipe(name).loss.class_weights, strict=True))
        assert (max(weights.values()), weights["Logs"], min(weights, key=weights.__getitem__)) == (5.0, 5.0, "Sky")
    assert recipe.optimizer.groups == {"encoder": 3e-5, "decoder": 1e-4, "head": 3e-4}
    assert (recipe.train.frozen_epochs, recipe.train.patience, recipe.train.mixed_precision) == (5, 15, True)
    phase3, phase4 = load_recipe("dinov2_phase3"), load_recipe("dinov2_phase4")
    assert (phase3.train.batch_size, phase3.train.accumulate, phase3.model.open_blocks) == (2, 2, 0)
    assert (phase4.model.open_blocks, phase4.optimizer.groups["encoder"]) == (3, 4e-6)
    steps = load_recipe("deeplabv3_r50_steplr").optimizer
    assert (steps.schedule, steps.per, steps.step_epochs, steps.step_factor) == ("step", "epoch", 20, 0.1)


def test_a_recipe_file_says_nothing_twice() -> None:
    for name in NAMES:
        given = tomllib.loads(recipe_text(name))
        assert Recipe.from_dict(given) == load_recipe(name)
        assert {"about", "data", "model", "optimizer", "train"} <= set(given)


def test_the_list_is_what_the_files_say() -> None:
    rows = {row.name: row for row in list_recipes()}
    assert list(rows) == NAMES
    row = rows["desert_best"]
    assert row.network == "deeplabv3plus on resnet101"
    assert (row.size, row.epochs) == ((512, 896), load_recipe("desert_best").train.epochs)


def test_every_key_is_documented() -> None:
    keys = {key.name: key for key in list_keys()}
    assert set(keys) == {f"{s}.{k}" for s, kind in sections_of().items() for k in hints_of(kind)}
    assert all(key.meaning.endswith(".") and len(key.meaning) > 8 for key in keys.values())
    epochs, resize = keys["train.epochs"], keys["data.resize"]
    assert (epochs.kind, epochs.allowed, epochs.default) == ("a whole number", "above 0", "40")
    assert (resize.allowed, resize.default) == ("letterbox, stretch", '"letterbox"')
    assert keys["data.size"].default == "[192, 320]"
    assert list(describe_sections()) == list(sections_of())


def test_documented_defaults_are_toml() -> None:
    values: dict = {}
    for key in list_keys():
        section, name = key.name.split(".")
        values.setdefault(section, {})[name] = tomllib.loads(f"v = {key.default}")["v"]
    assert Recipe.from_dict(values) == Recipe()


def test_the_augmentation_of_recipe_and_data_is_one() -> None:
    mine = {f.name: getattr(AugmentRecipe(), f.name) for f in dataclasses.fields(AugmentRecipe)}
    data = {f.name: getattr(Augmentation(), f.name) for f in dataclasses.fields(Augmentation)}
    assert mine == data
