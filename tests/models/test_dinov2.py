import math
import re

import keras
import numpy as np
import pytest

from desertseg.models import ModelError
from desertseg.models.dinov2 import DINOv2, choose_blocks

TINY = {"width": 8, "depth": 2, "num_heads": 2, "position_grid": 5, "layer_scale": 0.7}


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(2, 42, 28, 3)).astype("float32")


def test_every_place_sees_the_whole_picture(images):
    images[1] = images[0]
    images[1, 41, 27] += 3
    one, other = DINOv2(**TINY).predict(images, verbose=0)["block2"]
    assert np.abs(other - one)[0, 0].max() > 1e-4


def test_gradients_reach_every_weight(images):
    network = DINOv2(**TINY, num_registers=2, features=2)
    x = keras.layers.Concatenate()(list(network.output.values()))
    model = keras.Model(network.input, keras.layers.Dense(1)(x))
    model.compile("sgd", "mse")
    before = [np.array(v) for v in network.trainable_variables]
    model.fit(images, np.ones((2, 3, 2, 1), "float32"), verbose=0)
    still = [
        v.path for v, b in zip(network.trainable_variables, before, strict=True) if not np.abs(np.array(v) - b).max()
    ]
    assert not still


@pytest.mark.parametrize(
    ("options", "parameters"),
    # Facebook's counts (backbone alone, with the mask token of one width that only pre-training uses).
    [
        ({}, 22_056_576),
        ({"num_registers": 4}, 22_058_112),
    ],
)
def test_parameter_count_is_the_published_one(options, parameters):
    network = DINOv2(**options)
    assert sum(math.prod(v.shape) for v in network.trainable_variables) == parameters - network.width


def test_swiglu_has_the_giants_hidden_channels():
    network = DINOv2(width=1536, depth=1, num_heads=24, swiglu=True)
    assert network.get_layer("block1_expand").units == 2 * 4096
    assert network.get_layer("block1_contract").kernel.shape == (4096, 1536)


def test_position_embeddings_as_published():
    def resizing(**options):
        layer = DINOv2(**TINY, **options).get_layer("position_embed")
        return layer.antialias, layer.offset

    assert resizing() == (False, 0.1)
    assert resizing(num_registers=4) == (True, 0.0)
    assert resizing(num_registers=4, position_antialias=False, position_offset=0.1) == (False, 0.1)


def test_config_round_trip_keeps_every_argument():
    options = {"num_registers": 4, "features": (1, 2), "drop_path": 0.25, "position_offset": 0.2, "swiglu": True}
    network = DINOv2(**TINY, **options, dtype="mixed_bfloat16", name="b")
    twin = DINOv2.from_config(network.get_config())
    assert twin.get_config() == network.get_config()
    assert twin.features == (1, 2)
    assert twin.get_layer("block1_qkv").compute_dtype == "bfloat16"
    assert [w.path for w in twin.weights] == [w.path for w in network.weights]
    assert DINOv2.from_config(DINOv2(**TINY, features=2).get_config()).features == 2


@pytest.mark.parametrize(
    ("features", "depth", "blocks"),
    [(1, 12, (12,)), (4, 12, (3, 6, 9, 12)), (4, 40, (10, 20, 30, 40)), ((12, 4), 12, (4, 12)), (3, 3, (1, 2, 3))],
)
def test_chosen_blocks(features, depth, blocks):
    assert choose_blocks(features, depth) == blocks


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 4}, "4 features of a network of 2 blocks; choose 1 to 2"),
        ({"features": (0, 2)}, "blocks count from 1, and the last, 2,"),
        ({"features": (1,)}, "the last, 2, has to be among them"),
        ({"num_heads": 3}, "3 heads do not divide a width of 8"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ModelError, match=message):
        DINOv2(**{**TINY, **options})


def test_a_wrong_size_is_answered_with_the_nearest(images):
    network = DINOv2(**TINY)
    message = "images are 29x13 .* the nearest are 28x14 and 42x14"
    with pytest.raises(ModelError, match=message):
        network(images[:, :29, :13])
    with pytest.raises(ModelError, match=message):
        network.predict(images[:, :29, :13], verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX knows every size when it traces")
def test_a_wrong_size_that_only_the_running_graph_knows(images):
    import tensorflow as tf

    network = DINOv2(**TINY)
    run = tf.function(network, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(run(images)["block2"], network(images)["block2"], rtol=0, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        run(images[:, :29, :13])
    assert re.search(r"\[29 13\].*multiples of 14.*\[28 14\].*\[42 14\]", str(caught.value), re.DOTALL)


def test_drop_path_leaves_out_whole_branches():
    network = DINOv2(**TINY, drop_path=0.5)
    mask = np.asarray(network.get_layer("block1_drop1")(np.ones((64, 4, 8), "float32"), training=True))
    assert set(np.unique(mask)) == {0, 2}
    assert (mask == mask[:, :1, :1]).all()
