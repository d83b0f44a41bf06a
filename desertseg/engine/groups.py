"""Which part of a segmenter a variable belongs to, and how its learning rate and weight decay follow from that."""

from __future__ import annotations

import math

import keras

from desertseg.engine.recipe import OptimizerRecipe, RecipeError
from desertseg.models import Segmenter
from desertseg.models.freezing import block_names

GROUPS = ("encoder", "decoder", "head")


def group_names(segmenter: Segmenter) -> dict[int, str]:
    """Return id(variable) -> "encoder" (the backbone), "head" (the classifiers) or "decoder" (what lies between)."""
    network = segmenter.network
    names = {id(v): "decoder" for v in network.variables}
    for layer in network.layers:
        if "classifier" in layer.name:
            names |= {id(v): "head" for v in layer.variables}
    backbone = getattr(network, "backbone", None)
    if backbone is not None:
        names |= {id(v): "encoder" for v in backbone.variables}
    return names


def rate_factors(recipe: OptimizerRecipe, segmenter: Segmenter, variables: list[keras.Variable]) -> list[float]:
    """Return for each variable what its learning rate is multiplied by.

    That is its group's rate over the recipe's, and inside the backbone `layer_decay` to the power of how many blocks,
    its own among them, lie between the variable and the backbone's end (Clark et al., ELECTRA, 2020, as the code of
    BEiT and DINOv2 has it: the last block has the power 1, the normalisation behind it 0).

    Raises:
        RecipeError: layer decay for a backbone without named blocks.
    """
    names = group_names(segmenter)
    depths = _depths(segmenter) if recipe.layer_decay != 1 else {}
    factors = []
    for variable in variables:
        rate = recipe.groups.get(names[id(variable)], recipe.learning_rate) / recipe.learning_rate
        factors.append(rate * recipe.layer_decay ** depths.get(id(variable), 0))
    return factors


def _depths(segmenter: Segmenter) -> dict[int, int]:
    """Return id(variable) -> blocks between it and the backbone's end, 1 for the last block, 0 behind it."""
    backbone = getattr(segmenter.network, "backbone", None)
    blocks = block_names(backbone) if backbone is not None else []
    if not blocks:
        raise RecipeError("optimizer.layer_decay needs a backbone with named blocks; set it to 1.0 for this network")
    assert backbone is not None
    depths: dict[int, int] = {}
    reached = 0  # a layer between two blocks belongs to the first of them, and the stem to none
    for layer in backbone.layers:
        own = next((index for index, prefix in enumerate(blocks, 1) if layer.name.startswith(prefix)), None)
        reached = max(reached, own or 0)
        behind = own is None and reached == len(blocks)
        depths |= {id(v): 0 if behind else len(blocks) + 1 - (own or reached) for v in layer.variables}
    return depths


def decays(variables: list[keras.Variable]) -> list[bool]:
    """Return for each variable whether weight decay acts on it.

    It spares what is one vector: biases, the scale and shift of normalisations, layer scales, the class token.
    """
    return [math.prod(v.shape) > max(v.shape, default=1) for v in variables]
