import keras
import numpy as np
import pytest

from desertseg.models import DINOv2, MiT, ModelError, ResNet, build_segmenter
from desertseg.models.freezing import block_names, freeze_backbone


def backbone(blocks=(1, 2, 1, 1)):
    return ResNet(blocks, width=4)


def trained(model):
    return {v.path.split("/")[0] for v in model.trainable_variables}


def test_blocks_in_order():
    names = block_names(ResNet((1, 1, 1, 11), width=4))
    assert names[:4] == ["stage1_block1_", "stage2_block1_", "stage3_block1_", "stage4_block1_"]
    assert names[-2:] == ["stage4_block10_", "stage4_block11_"]


@pytest.mark.parametrize("open_blocks", [0, 1, 3, 5])
def test_the_last_blocks_alone_are_trained(open_blocks):
    model = backbone()
    freeze_backbone(model, open_blocks)
    opened = block_names(model)[5 - open_blocks :]
    expected = {v.path.split("/")[0] for v in model.weights if v.path.startswith(tuple(opened))} if opened else set()
    assert {name for name in expected if "norm" in name or "conv" in name} == trained(model)


def test_a_frozen_backbone_keeps_its_statistics(tiny_options):
    model = build_segmenter(open_blocks=0, **tiny_options)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    before = [np.array(v) for v in model.network.backbone.weights]
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, np.zeros((2, 32, 32), "uint8"), epochs=2, verbose=0)
    for weight, old in zip(model.network.backbone.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_the_file_remembers(tiny_options, tmp_path):
    model = build_segmenter(open_blocks=1, **tiny_options)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.open_blocks == 1
    assert (
        len(loaded.trainable_variables) == len(model.trainable_variables) < len(build_segmenter(**tiny_options).weights)
    )


@pytest.mark.parametrize("open_blocks", [-1, 6])
def test_more_blocks_than_there_are(open_blocks):
    with pytest.raises(ModelError, match="has blocks 1 to 5"):
        freeze_backbone(backbone(), open_blocks)


def test_a_model_without_named_blocks_can_only_be_closed():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs))
    freeze_backbone(model, 0)
    assert not model.trainable_variables
    with pytest.raises(ModelError, match="no layers named block1_"):
        freeze_backbone(model, 1)


def test_the_last_normalisation_is_open_although_earlier_blocks_use_it_too():
    model = DINOv2(16, 3, 2, position_grid=3, features=(1, 2, 3))
    freeze_backbone(model, 1)
    assert {name for name in trained(model) if not name.startswith("block3_")} == {"norm"}
    assert not any(name.startswith(("block1_", "block2_", "patch")) for name in trained(model))


def test_what_stands_between_stages_opens_with_the_block_before_it():
    model = MiT((8, 8, 8, 8), (1, 1, 1, 1), (1, 1, 1, 1))
    freeze_backbone(model, 2)
    assert {name.split("_")[0] for name in trained(model)} == {"stage3", "stage4"}
    assert "stage3_embed" not in trained(model)
    assert {"stage3_norm", "stage4_embed", "stage4_norm"} <= trained(model)
