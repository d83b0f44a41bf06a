import keras
import numpy as np
import pytest

from desertseg.models import ModelError, ResNet
from desertseg.models.mit import MiT
from desertseg.models.segformer import SegFormer

TINY = {"widths": (4, 6, 8, 10), "depths": (1, 1, 1, 1), "heads": (1, 2, 2, 5)}
WIDE = (64, 128, 320, 512)


def tiny(num_classes=3, dtype=None, **options):
    return SegFormer(MiT(**TINY, dtype=dtype, **options), num_classes, decoder_channels=8, dtype=dtype)


def images(size=(45, 70), batch=2):
    return np.random.default_rng(0).normal(size=(batch, *size, 3)).astype("float32")


def randomize(network):
    """Give every weight, the moving statistics too, a value that no initialiser gives."""
    generator = np.random.default_rng(1)
    for v in network.weights:
        noise = generator.normal(0, 0.3, v.shape)
        v.assign(1 + np.abs(noise) if "variance" in v.path else np.asarray(v) + noise)
    return network


def test_features_by_name_and_stride():
    backbone = MiT(**TINY)
    shapes = backbone.compute_output_shape((2, 64, 96, 3))
    assert {name: shape[1:] for name, shape in shapes.items()} == {
        "stage1": (16, 24, 4),
        "stage2": (8, 12, 6),
        "stage3": (4, 6, 8),
        "stage4": (2, 3, 10),
    }
    assert backbone.output_stride == 32


def test_features_of_odd_sizes():
    for height, width in ((253, 449), (33, 29), (3, 1)):
        features = MiT(**TINY).compute_output_spec(keras.KerasTensor((1, height, width, 3)))
        for stride, feature in zip((4, 8, 16, 32), features.values(), strict=True):
            assert feature.shape[1:3] == (-(-height // stride), -(-width // stride))


# One patch to attend to: its share of the attention is 1, which Keras takes for a mistake.
def test_any_size_in_the_same_size_out():
    network = tiny()
    assert network.output_shape == (None, None, None, 3)
    for size in ((33, 29), (3, 1)):
        logits = network.predict(images(size, 1), verbose=0)
        assert logits.shape == (1, *size, 3)
        assert np.isfinite(logits).all()


def test_config_round_trip():
    backbone = MiT(**TINY, expansion=2, reductions=(4, 2, 2, 1), drop_path=0.2, dtype="mixed_bfloat16", name="b")
    network = SegFormer(backbone, 3, 8, dropout=0.1, dtype="mixed_bfloat16")
    twin = SegFormer.from_config(network.get_config())
    assert twin.get_config() == network.get_config()
    assert (twin.dropout, twin.backbone.drop_path, twin.backbone.reductions) == (0.1, 0.2, (4, 2, 2, 1))
    assert twin.backbone.get_layer("stage1_block1_expand").compute_dtype == "bfloat16"


@pytest.mark.slow
def test_a_gradient_reaches_every_variable():
    network = randomize(tiny())
    network.compile(keras.optimizers.SGD(1.0), "mse")
    before = [np.array(v) for v in network.trainable_variables]
    network.train_on_batch(images((64, 96)), np.random.default_rng(0).normal(size=(2, 64, 96, 3)))
    unmoved = [
        v.path for v, b in zip(network.trainable_variables, before, strict=True) if np.array_equal(np.asarray(v), b)
    ]
    assert not unmoved


def test_paths_are_dropped_more_often_the_deeper_they_are():
    layers = [layer for layer in MiT(**TINY, drop_path=0.9).layers if isinstance(layer, keras.layers.Dropout)]
    np.testing.assert_allclose([layer.rate for layer in layers], np.repeat([0.3, 0.6, 0.9], 2))
    # A picture's whole branch or none of it.
    dropped = np.asarray(layers[-1](np.ones((64, 2, 3, 4), "float32"), training=True))
    assert set(np.unique(dropped.round(3))) == {0.0, 10.0}
    assert (dropped == dropped[:, :1, :1, :1]).all()
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in MiT(**TINY).layers)


@pytest.mark.parametrize(
    ("widths", "depths", "channels", "parameters"),
    # Of transformers' SegformerForSemanticSegmentation with 150 classes; 3.8 and 27.5 million in the paper's table 1.
    [((32, 64, 160, 256), (2, 2, 2, 2), 256, 3_752_694), (WIDE, (3, 4, 6, 3), 768, 27_461_974)],
)
def test_parameter_count_as_published(widths, depths, channels, parameters):
    network = SegFormer(MiT(widths, depths), 150)
    assert network.decoder_channels == channels
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == parameters


def test_head_on_another_backbone():
    network = SegFormer(ResNet((1, 1, 1, 1), width=4), 3, 8)
    assert network.predict(images(), verbose=0).shape == (2, 45, 70, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"depths": (1, 1)}, r"depths=\(1, 1\) describes 2"), ({"heads": (1, 2, 2, 3)}, "3 heads do not divide .* 10")],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ModelError, match=message):
        MiT(**{**TINY, **options})


def test_a_backbone_without_the_four_stages_is_refused():
    inputs = keras.Input((None, None, 3))
    backbone = keras.Model(inputs, {"low": inputs, "stage4": inputs}, name="own")
    with pytest.raises(ModelError, match=r"wants features stage1.*'own' gives low, stage4"):
        SegFormer(backbone, 3)
