"""Which variable moves how fast, and which one decays: on a DINOv2 of two blocks and a network without any."""

from __future__ import annotations

import keras
import pytest

from desertseg.engine.groups import decays, group_names, rate_factors
from desertseg.engine.recipe import OptimizerRecipe, RecipeError
from desertseg.labels import load_labels
from desertseg.models import Segmenter, build_segmenter


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return build_segmenter("linear", labels="falcon", size=(28, 28), width=16, depth=2, num_heads=2, open_blocks="all")


def test_groups_have_rates_of_their_own_and_blocks_a_power_of_the_decay(segmenter: Segmenter) -> None:
    """As DINOv2's code has it: patches and positions depth + 1 powers, the last block one, what follows it none."""
    recipe = OptimizerRecipe(learning_rate=0.01, layer_decay=0.5, groups={"encoder": 0.001})
    variables = segmenter.trainable_variables
    factors = dict(zip((v.path for v in variables), rate_factors(recipe, segmenter, variables), strict=True))
    expected = {"patch_embed": 1 / 8, "class_token": 1 / 8, "position_embed": 1 / 8, "block1": 1 / 4, "block2": 1 / 2}
    expected |= {"norm": 1, "classifier": 10}
    for path, factor in factors.items():
        layer = path.split("/")[0]
        assert factor == pytest.approx(0.1 * expected[layer if layer in expected else layer.split("_")[0]]), path
    assert {p.split("/")[0] for p in factors} >= {"patch_embed", "block2_qkv", "norm", "classifier"}
    plain = rate_factors(OptimizerRecipe(), segmenter, variables)
    assert set(plain) == {1.0}


def test_what_lies_between_backbone_and_classifier_is_the_decoder() -> None:
    inputs = keras.Input((None, None, 3))
    layer = {name: keras.layers.Conv2D(10, 1, name=name) for name in ("fuse", "classifier", "auxiliary_classifier")}
    x = layer["fuse"](inputs)
    heads = {"logits": layer["classifier"](x), "auxiliary": layer["auxiliary_classifier"](x)}
    segmenter = Segmenter(keras.Model(inputs, heads), load_labels("falcon"))
    names = group_names(segmenter)
    groups = {v.path.split("/")[0]: names[id(v)] for v in segmenter.trainable_variables}
    assert groups == {"fuse": "decoder", "classifier": "head", "auxiliary_classifier": "head"}
    with pytest.raises(RecipeError, match=r"layer_decay needs a backbone with named blocks; set it to 1\.0"):
        rate_factors(OptimizerRecipe(layer_decay=0.9), segmenter, segmenter.trainable_variables)


def test_decay_spares_norms_biases_and_the_class_token(segmenter: Segmenter) -> None:
    variables = segmenter.trainable_variables
    spared = {v.path.split("/")[-1] for v, acts in zip(variables, decays(variables), strict=True) if not acts}
    decayed = {v.path.split("/")[-1] for v, acts in zip(variables, decays(variables), strict=True) if acts}
    assert spared == {"bias", "beta", "gamma", "tokens"}
    assert decayed == {"kernel", "positions"}
