import keras
import numpy as np
import pytest

from desertseg.models import ModelError, ResNet
from desertseg.models.dinov2 import DINOv2
from desertseg.models.token_heads import ConvNeXtHead, LinearHead

TINY = {"width": 8, "depth": 2, "num_heads": 2, "position_grid": 5, "layer_scale": 0.7}


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(2, 29, 45, 3)).astype("float32")


@pytest.mark.parametrize(
    ("head", "options"),
    [(ConvNeXtHead, {"channels": 4}), (LinearHead, {"inputs_from": ("block1", "block2"), "normalize": True})],
)
def test_any_size_in_the_same_size_out_and_again_from_a_file(head, options, images, tmp_path):
    network = head(DINOv2(**TINY, features=2), 3, **options)
    assert network.output_shape == (None, None, None, 3)
    logits = network.predict(images, verbose=0)
    assert logits.shape == (2, 29, 45, 3)
    network.save(tmp_path / "n.keras")
    loaded = keras.saving.load_model(tmp_path / "n.keras")
    assert loaded.get_config() == network.get_config()
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), logits)


def test_linear_head_takes_what_is_asked():
    backbone = DINOv2(**TINY, features=2)
    assert LinearHead(backbone, 3).get_layer("classifier").kernel.shape == (1, 1, 16, 3)
    assert LinearHead(backbone, 3, inputs_from=["block1"]).get_layer("classifier").kernel.shape == (1, 1, 8, 3)
    names = [layer.name for layer in LinearHead(backbone, 3, normalize=True, dropout=0.5).layers]
    assert names.index("head_norm") < names.index("head_dropout") < names.index("classifier")
    with pytest.raises(ModelError, match=r"no feature 'block3'.* block1 \(stride 14\)"):
        LinearHead(backbone, 3, inputs_from=["block3"])


def test_convnext_heads_parameters():
    network = ConvNeXtHead(DINOv2(**TINY), 10)
    head = network.count_params() - network.backbone.count_params()
    assert head == (7 * 7 * 8 * 128 + 128) + (7 * 7 * 128 + 128) + (128 * 128 + 128) + (128 * 10 + 10)


def test_a_convolutional_backbone_is_not_padded():
    backbone = ResNet((1, 1, 1, 1), width=4)
    network = LinearHead(backbone, 3)
    assert network.inputs_from == ("stage4",)
    assert "pad" not in [layer.name for layer in network.layers]
    assert network.compute_output_shape((1, 33, 47, 3)) == (1, 33, 47, 3)


def test_trains_under_bfloat16_behind_float32_logits(images):
    backbone = DINOv2(**{**TINY, "depth": 1}, dtype="mixed_bfloat16")
    network = ConvNeXtHead(backbone, 3, channels=4, dtype="mixed_bfloat16")
    assert network.get_layer("head_stem").compute_dtype == "bfloat16"
    assert network.output.dtype == "float32"
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [np.array(v) for v in network.trainable_variables]
    network.fit(images, np.zeros((2, 29, 45), np.uint8), verbose=0)
    still = [
        v.path for v, b in zip(network.trainable_variables, before, strict=True) if not np.abs(np.array(v) - b).max()
    ]
    assert not still
