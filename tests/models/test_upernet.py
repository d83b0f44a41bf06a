import keras
import numpy as np
import pytest

from desertseg.models import ModelError, ResNet
from desertseg.models.upernet import DilatedUPerNet, UPerNet


def backbone(**options):
    return ResNet((1, 1, 1, 1), width=4, zero_init=False, **options)


def patches(names=("block1", "block2", "block10", "block11")):
    """Return a backbone like a ViT: features of one stride, sizes that 14 divides."""
    inputs = keras.Input((None, None, 3))
    x, features = keras.layers.Conv2D(8, 14, 14)(inputs), {}
    for name in names:
        x = keras.layers.Conv2D(8, 1)(x)
        features[name] = x
    model = keras.Model(inputs, features, name="patches")
    model.size_multiple = 14
    return model


NETWORKS = pytest.mark.parametrize(
    ("network_class", "options"),
    [(UPerNet, {"channels": 8}), (DilatedUPerNet, {"channels": 8, "groups": 2})],
    ids=["upernet", "dilated"],
)
BACKBONES = pytest.mark.parametrize("build", [backbone, patches])


def images(size=(45, 70), batch=2):
    return np.random.default_rng(0).normal(size=(batch, *size, 3)).astype("float32")


def randomize(network):
    """Logits far from zero, so that a comparison says something."""
    generator = np.random.default_rng(1)
    for variable in network.weights:
        if "classifier" in variable.path or "moving_mean" in variable.path:
            variable.assign(generator.normal(0, 0.5, variable.shape))


@NETWORKS
@BACKBONES
def test_any_size_in_the_same_size_out(network_class, options, build):
    network = network_class(build(), 3, **options)
    assert network.output_shape == (None, None, None, 3)
    for size in ((1, 1), (45, 70)):
        assert network.predict(images(size), verbose=0).shape == (2, *size, 3)


@NETWORKS
def test_config_round_trip_and_bfloat16(network_class, options):
    network = network_class(backbone(), 3, **options, grids=(1, 4), dropout=0.1, dtype="mixed_bfloat16")
    twin = network_class.from_config(network.get_config())
    assert twin.get_config() == network.get_config()
    assert (twin.grids, twin.dropout) == ((1, 4), 0.1)
    assert twin.get_layer("bottleneck_conv").compute_dtype == "bfloat16"
    logits = twin.predict(images(), verbose=0)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.slow
@NETWORKS
def test_a_gradient_reaches_every_variable(network_class, options):
    network = network_class(patches(), 3, **options)
    randomize(network)
    network.compile(keras.optimizers.SGD(1.0), "mse")
    before = [np.array(v) for v in network.trainable_variables]
    network.train_on_batch(images((112, 112)), np.random.default_rng(0).normal(size=(2, 112, 112, 3)))
    unmoved = [
        v.path for v, b in zip(network.trainable_variables, before, strict=True) if np.array_equal(np.asarray(v), b)
    ]
    assert not unmoved


def test_levels_are_the_features_from_stride_4():
    network = UPerNet(backbone(), 3, 8)
    assert network.inputs_from == ("stage1", "stage2", "stage3", "stage4")
    assert not network.pyramid
    assert network.get_layer("fpn1_act").output.shape[-1] == 8
    assert UPerNet(backbone(), 3, 8, inputs_from=("stage2", "stage4")).inputs_from == ("stage2", "stage4")
    with pytest.raises(ModelError, match="no feature 'stage5'"):
        UPerNet(backbone(), 3, 8, inputs_from=("stage5",))


def test_features_of_one_stride_become_a_pyramid():
    network = UPerNet(patches(), 3, 8)
    assert network.inputs_from == ("block1", "block2", "block10", "block11")
    assert network.pyramid
    factors = [network.get_layer(name).factor for name in ("lateral1_rescale", "lateral2_rescale", "deep_rescale")]
    assert factors == [4, 2, 0.5]
    assert UPerNet(patches(), 3, 8, pyramid=False).predict(images(), verbose=0).shape == (2, 45, 70, 3)


def test_one_feature_is_enough():
    network = UPerNet(patches(("block12",)), 3, 8)
    assert not network.pyramid
    assert network.predict(images(), verbose=0).shape == (2, 45, 70, 3)


def test_layers_as_described():
    network = DilatedUPerNet(backbone(), 5)
    assert [network.get_layer(f"dilated{rate}_conv").dilation_rate for rate in (1, 2, 4)] == [(1, 1), (2, 2), (4, 4)]
    assert network.get_layer("fusion_conv").kernel_size == (1, 1)
    assert network.get_layer("bottleneck_norm").groups == 32
    assert network.get_layer("classifier").kernel.shape == (1, 1, 256, 5)
