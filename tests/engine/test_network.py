from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from desertseg.engine.network import build_network, resolve_model
from desertseg.engine.recipe import ModelRecipe, Recipe
from desertseg.errors import UserError
from desertseg.labels import load_labels
from desertseg.models import ResNet
from desertseg.models.weights.resnet import RESNET


@pytest.fixture(scope="module")
def resnet18(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torchvision ResNet-18's file."""
    tensors = {}
    for assignment in RESNET.assign(ResNet(), {}):
        value = np.asarray(assignment.variable)
        tensors[assignment.tensors[0]] = np.ascontiguousarray(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value)
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(tensors, path)
    return path


def test_alone_it_is_the_default_network() -> None:
    model = resolve_model(ModelRecipe())
    assert (model.name, model.backbone, model.options) == ("deeplabv3plus", "resnet18", {})


def test_a_checkpoint_decides_what_is_left_open(resnet18: Path) -> None:
    auto = resolve_model(ModelRecipe(weights=str(resnet18)))
    assert (auto.name, auto.backbone) == ("deeplabv3plus", "resnet18")
    chosen = resolve_model(ModelRecipe(name="upernet", weights=str(resnet18)))
    assert (chosen.name, chosen.backbone) == ("upernet", "resnet18")


def test_a_network_that_is_asked_for_by_name_keeps_its_backbone(resnet18: Path) -> None:
    model = resolve_model(ModelRecipe(name="deeplabv3plus_resnet101", weights=str(resnet18)))
    assert (model.name, model.backbone) == ("deeplabv3plus_resnet101", "resnet101")


def test_arrays_of_save_weights_need_no_more_than_the_model() -> None:
    model = resolve_model(ModelRecipe(name="deeplabv3plus", weights="a.weights.h5"))
    assert (model.name, model.backbone, model.options) == ("deeplabv3plus", "resnet18", {})


def test_the_options_of_a_checkpoint_come_with_it_to_a_network_that_is_asked_for(tiny_run: Path) -> None:
    from desertseg.models import build_segmenter

    path = tiny_run.parent / "dense.keras"
    build_segmenter("deeplabv3", "resnet18", output_stride=8, width=8, atrous_rates=(1, 2, 3)).save(path)
    model = resolve_model(ModelRecipe(name="deeplabv3", backbone="resnet18", weights=str(path)))
    assert (model.output_stride, model.options["atrous_rates"]) == (8, [1, 2, 3])  # as TOML has it


def test_the_options_of_a_checkpoint_reach_the_network_that_they_are_of(tiny_run: Path) -> None:
    from desertseg.models import build_segmenter

    path = tiny_run.parent / "narrow.keras"
    build_segmenter("deeplabv3", "resnet18", width=8, output_stride=8, aspp_channels=12).save(path)
    same = resolve_model(ModelRecipe(weights=str(path), options={"dropout": 0.25}))
    assert (same.name, same.output_stride) == ("deeplabv3", 8)
    assert (same.options["width"], same.options["aspp_channels"], same.options["dropout"]) == (8, 12, 0.25)
    other = resolve_model(ModelRecipe(name="deeplabv3plus", weights=str(path)))
    assert other.options["width"] == 8
    assert "aspp_channels" not in other.options


def test_a_named_system_brings_its_settings() -> None:
    model = resolve_model(ModelRecipe(name="codecrunch_r101"))
    assert (model.backbone, model.output_stride, model.options["aspp_refinement"]) == ("resnet101", 16, True)


def test_weights_in_place_and_frozen(resnet18: Path) -> None:
    options = {"aspp_channels": 8, "decoder_channels": 8}
    recipe = Recipe(model=resolve_model(ModelRecipe(weights=str(resnet18), open_blocks=0, options=options)))
    segmenter, told = build_network(recipe, load_labels("falcon"))
    assert told == [f"weights: backbone from {resnet18} (torchvision or timm ResNet), 100 tensors"]
    assert not segmenter.network.backbone.trainable_variables
    assert segmenter.recipe is not None
    assert segmenter.recipe["model"]["weights"] == str(resnet18)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ModelRecipe(name="deeplab"), "no model 'deeplab'"),
        (ModelRecipe(weights="nowhere.pth"), "nowhere.pth"),
        (ModelRecipe(weights="a.weights.h5"), "does not say which network"),
    ],
)
def test_what_cannot_be_resolved(model: ModelRecipe, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve_model(model)


def test_a_frozen_backbone_without_weights_is_told() -> None:
    options = {"width": 16, "depth": 1, "num_heads": 2}
    recipe = Recipe(model=resolve_model(ModelRecipe(name="linear", options=options)))
    segmenter, told = build_network(recipe, load_labels("falcon"))
    assert segmenter.open_blocks == 0
    assert told == [
        "weights: the backbone is frozen with random weights; give --weights, or --open-blocks all to train it"
    ]
    trained = Recipe(model=resolve_model(ModelRecipe(name="linear", open_blocks="all", options=options)))
    assert build_network(trained, load_labels("falcon"))[1] == []


def test_weights_that_are_not_asked_for_need_not_be_there() -> None:
    options = {"width": 16, "depth": 1, "num_heads": 2}
    model = dataclasses.replace(resolve_model(ModelRecipe(name="linear", options=options)), weights="gone.pth")
    segmenter, told = build_network(Recipe(model=model), load_labels("falcon"), load=False)
    assert (segmenter.recipe["model"]["weights"], told) == ("gone.pth", [])
