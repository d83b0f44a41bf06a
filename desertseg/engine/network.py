"""From a recipe's [model] to a segmenter with its weights in place."""

from __future__ import annotations

import dataclasses
from typing import Any

from desertseg.engine.recipe import AUTO, ModelRecipe, Recipe
from desertseg.labels import LabelMap
from desertseg.models import Segmenter, build_segmenter, load_weights_from
from desertseg.models.catalogue import NETWORKS
from desertseg.models.weights import Found, describe_weights, is_preset, presets_for
from desertseg.models.weights.presets import fetch
from desertseg.models.weights.source import is_keras_weights
from desertseg.models.zoo import network_spec, options_of


def resolve_model(model: ModelRecipe) -> ModelRecipe:
    """Return the recipe's model with names in place of "auto".

    A checkpoint says which network it is of. One of a whole network is taken whole unless another network is asked for;
    then, and where it has a backbone alone, it decides the backbone, unless that is asked for by name as well, as in
    "deeplabv3plus_resnet50". Options without which its weights would compute something else come with it either way.

    Raises:
        UserError: an unknown name, or weights that cannot be read.
    """
    spec = None if model.name == AUTO else network_spec(model.name)
    found = _describe_file(model.weights, asked=spec is not None)
    name = model.name if spec else found.model if found else "deeplabv3plus"
    spec = spec or network_spec(name)
    backbone = spec.backbone
    if model.backbone != AUTO:
        backbone = model.backbone
    elif found and name not in NETWORKS:
        backbone = found.backbone
    found = found or _describe_preset(model.weights, spec.architecture, backbone)
    options = {**_options_from(found, spec.architecture, backbone), **spec.options, **model.options}
    stride = model.output_stride or options.pop("output_stride", None) or spec.output_stride or 0
    options.pop("output_stride", None)
    return dataclasses.replace(model, name=name, backbone=backbone, output_stride=stride, options=options)


def _describe_file(weights: str, asked: bool) -> Found | None:
    """Return what a checkpoint holds; None for none, and for one that cannot tell while a network is asked for."""
    if not weights or is_preset(weights) or (asked and is_keras_weights(weights)):
        return None
    return describe_weights(weights)


def _describe_preset(weights: str, architecture: str, backbone: str) -> Found | None:
    """Return what published weights of a whole network hold; None for those of a backbone, which ask for nothing."""
    preset = presets_for(architecture, backbone).get(weights)
    return describe_weights(fetch(preset)) if preset and preset.model else None


def build_network(recipe: Recipe, labels: LabelMap, *, load: bool = True) -> tuple[Segmenter, list[str]]:
    """Return the segmenter of a resolved recipe, and what there is to tell about its weights.

    Args:
        recipe: with no "auto" left.
        labels: the label map.
        load: whether the recipe's weights are read; a resumed run has its own, and theirs may be gone.
    """
    model = recipe.model
    segmenter = build_segmenter(
        model.name,
        model.backbone,
        labels,
        recipe.data.size,
        model.output_stride or None,
        open_blocks=model.open_blocks,
        recipe=recipe.to_dict(),
        **model.options,
    )
    if not load:
        return segmenter, []
    if not model.weights:
        frozen = segmenter.open_blocks == 0
        hint = "the backbone is frozen with random weights; give --weights, or --open-blocks all to train it"
        return segmenter, [f"weights: {hint}"] if frozen else []
    return segmenter, load_weights_from(segmenter, model.weights, say=None).lines()


def _options_from(found: Found | None, architecture: str, backbone: str) -> dict[str, Any]:
    """Return those options of a checkpoint that concern the network or the backbone that will be built."""
    if found is None or backbone != found.backbone:
        return {}
    allowed = options_of(backbone=backbone)
    if architecture == found.model:
        allowed |= options_of(model=architecture)
    return {k: v for k, v in found.options.items() if k in allowed}
