"""Logits of our UPerNet on given features against transformers' head."""

import keras
import numpy as np
import pytest
import torch

from desertseg.layers import Normal
from desertseg.models.upernet import UPerNet
from desertseg.models.weights.layout import layer_assignments

pytestmark = pytest.mark.parity

WIDTHS, CHANNELS = (8, 12, 16, 20), 24


def build_reference():
    from transformers import UperNetConfig
    from transformers.models.upernet.modeling_upernet import UperNetHead

    return UperNetHead(UperNetConfig(hidden_size=CHANNELS, num_labels=5, pool_scales=[1, 2, 3, 6]), list(WIDTHS))


def build_network():
    """Return our network on a backbone of average pooling and one 1x1 convolution a level."""
    inputs = keras.Input((None, None, 3))
    x = keras.layers.AveragePooling2D(2)(inputs)
    features = {}
    for level, width in enumerate(WIDTHS, 1):
        x = keras.layers.AveragePooling2D(2, padding="same")(x)
        features[f"stage{level}"] = keras.layers.Conv2D(width, 1, kernel_initializer=Normal(0.5, seed=level))(x)
    return UPerNet(keras.Model(inputs, features), 5, CHANNELS)


def module_name(layer):
    if layer == "classifier":
        return layer
    place, kind = layer.rsplit("_", 1)
    suffix = {"conv": "conv", "norm": "batch_norm"}[kind]
    names = {"bottleneck": "bottleneck", "fusion": "fpn_bottleneck"}
    names |= {f"lateral{i}": f"lateral_convs.{i - 1}" for i in (1, 2, 3)}
    names |= {f"fpn{i}": f"fpn_convs.{i - 1}" for i in (1, 2, 3)}
    names |= {f"pooling{grid}": f"psp_modules.{i}.1" for i, grid in enumerate((1, 2, 3, 6))}
    return f"{names[place]}.{suffix}"


def copy(reference, network):
    """Fill the head from every tensor of the reference, each once; return the assignments."""
    # Copies: JAX may share an array's memory, which the reference's training changes.
    state = {k: v.numpy().copy() for k, v in reference.state_dict().items() if not k.endswith("num_batches_tracked")}
    inner = {layer.name for layer in network.backbone.layers}
    assignments = layer_assignments(network, lambda name: None if name in inner else module_name(name))
    assert sorted(t for a in assignments for t in a.tensors) == sorted(state)
    for a in assignments:
        a.variable.assign(a.convert(*(state[t] for t in a.tensors)))
    return assignments


def to_torch(features):
    return [torch.from_numpy(np.asarray(f).transpose(0, 3, 1, 2).copy()) for f in features.values()]


def random_images(size, batch=1):
    return np.random.default_rng(0).normal(size=(batch, *size, 3)).astype("float32")


@pytest.mark.parametrize("size", [(128, 192), (253, 449)], ids=["128x192", "253x449"])
def test_logits(size, randomize, assert_near):
    reference, network = randomize(build_reference()), build_network()
    copy(reference, network)
    pictures = random_images(size)
    with torch.inference_mode():
        scores = reference(to_torch(network.backbone.predict(pictures, verbose=0)))
        logits = torch.nn.functional.interpolate(scores, size=size, mode="bilinear", align_corners=False)
    assert_near(network.predict(pictures, verbose=0), logits.numpy().transpose(0, 2, 3, 1))


def test_one_training_step_moves_the_statistics_alike(randomize):
    reference, network = randomize(build_reference()), build_network()
    assignments = copy(reference, network)
    pictures = random_images((128, 192), batch=4)
    features = to_torch(network.backbone.predict(pictures, verbose=0))
    with torch.no_grad():
        reference.train()(features)
    network(pictures, training=True)
    state = reference.state_dict()
    moving = [a for a in assignments if a.variable.name.startswith("moving")]
    assert len(moving) == 2 * 12
    for a in moving:
        np.testing.assert_allclose(a.variable, state[a.tensors[0]].numpy(), rtol=0, atol=1e-4)
