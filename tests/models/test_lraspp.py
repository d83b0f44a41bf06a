import keras
import numpy as np
import pytest

from desertseg.layers import plain_forms
from desertseg.models import ModelError, ResNet
from desertseg.models.lraspp import LRASPP
from desertseg.models.mobilenet import MobileNetV3


def tiny(**options):
    return LRASPP(ResNet((1, 1, 1, 1), width=4, zero_init=False, output_stride=16), 3, channels=8, **options)


def images(size=(45, 70), batch=2):
    return np.random.default_rng(0).normal(size=(batch, *size, 3)).astype("float32")


def randomize(network):
    """Logits far from zero, so that a comparison says something."""
    generator = np.random.default_rng(1)
    for variable in network.weights:
        if "classifier" in variable.path or "moving_mean" in variable.path:
            variable.assign(generator.normal(0, 0.5, variable.shape))


def test_parameter_count_is_torchvisions():
    network = LRASPP(MobileNetV3(features=("stage2_block1", "stage4")), 21)
    assert (network.low, network.deep) == ("stage2_block1", "stage4")
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == 3_221_538


def test_any_size_in_the_same_size_out():
    network = tiny()
    assert network.output_shape == (None, None, None, 3)
    for size in ((1, 1), (45, 70)):
        assert network.predict(images(size), verbose=0).shape == (2, *size, 3)


@pytest.mark.slow
def test_a_gradient_reaches_every_variable():
    network = LRASPP(MobileNetV3(width=0.05), 3, channels=8)
    randomize(network)
    network.compile(keras.optimizers.SGD(1.0), "mse")
    before = [np.array(v) for v in network.trainable_variables]
    with plain_forms():  # compiles in half the time
        network.train_on_batch(images(), np.random.default_rng(0).normal(size=(2, 45, 70, 3)))
    moved = [not np.array_equal(np.asarray(v), b) for v, b in zip(network.trainable_variables, before, strict=True)]
    assert all(moved), [v.path for v, m in zip(network.trainable_variables, moved, strict=True) if not m]


def test_the_scores_are_those_of_the_published_order():
    """Upsampling the gated features before their classifier, as published, gives the same."""
    network = tiny()
    randomize(network)
    inner = keras.Model(network.input, [network.get_layer("gated").output, network.get_layer("low_classifier").output])
    gated, low_scores = inner(images())
    resized = network.get_layer("high_resize")(gated, low_scores)
    scores = network.get_layer("high_classifier")(resized) + low_scores
    np.testing.assert_allclose(network.get_layer("classifier_resize")(scores, images()), network(images()), atol=1e-5)


def test_a_feature_of_stride_8_is_needed():
    inputs = keras.Input((None, None, 3))
    backbone = keras.Model(inputs, {"deep": keras.layers.Conv2D(2, 16, 16)(inputs)})
    with pytest.raises(ModelError, match=r"no feature of stride 8, only deep \(stride 16\); .* low="):
        LRASPP(backbone, 2)
