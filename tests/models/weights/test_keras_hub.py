"""Keras Hub's ResNets with random weights: the same features from ours, and every other variant refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from desertseg.models import ResNet
from desertseg.models.errors import ModelError
from desertseg.models.weights import keras_hub as ours
from desertseg.models.weights.keras_hub import is_keras_hub, read_keras_hub
from desertseg.models.weights.resnet import RESNET
from desertseg.models.weights.source import open_source
from desertseg.models.weights.strict import apply_plan, make_plan

OPTIONS = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 64, 64, 64],
    "stackwise_num_blocks": [1, 1, 1, 1],
    "stackwise_num_strides": [1, 2, 2, 2],
    "block_type": "basic_block",
}


@pytest.fixture
def build():
    """Return a function that builds a Keras Hub backbone whose statistics are no initialiser's."""
    keras_hub = pytest.importorskip("keras_hub")

    def build(**options):
        backbone = keras_hub.models.ResNetBackbone(**OPTIONS | options)
        generator = np.random.default_rng(0)
        for variable in backbone.weights:
            if "_bn/" in variable.path:
                variable.assign(generator.uniform(0.5, 1.0, variable.shape))
        return backbone

    return build


@pytest.fixture
def describe(tmp_path):
    """Return a function that writes a preset's config.json, as save_to_preset does, beside weights that none reads."""

    def describe(registered_name="keras_hub>ResNetBackbone", config=OPTIONS):
        description = {"class_name": "ResNetBackbone", "config": config, "registered_name": registered_name}
        (tmp_path / "config.json").write_text(json.dumps(description))
        (tmp_path / "model.weights.h5").write_bytes(b"")

    return describe


@pytest.mark.parametrize("kind", ["basic_block", "bottleneck_block"])
def test_every_tensor_fits(kind, build, tmp_path):
    depths = [1, 2, 1, 1]
    build(block_type=kind, stackwise_num_blocks=depths, stackwise_num_filters=[64, 128, 256, 512]).save_to_preset(
        str(tmp_path)
    )
    assert is_keras_hub(tmp_path)
    tensors = read_keras_hub(tmp_path)
    network = ResNet(depths, bottleneck=kind == "bottleneck_block")
    plan = make_plan(network, tensors, RESNET.assign(network, tensors), {})
    assert not plan.problems
    assert plan.used == set(tensors)
    assert open_source(tmp_path, None).layout.name == "Keras Hub ResNet"


def test_the_same_features(build, tmp_path):
    import keras

    options = {"stackwise_num_blocks": [1, 1, 1, 1], "stackwise_num_filters": [64, 128, 256, 512]}
    theirs = build(block_type="bottleneck_block", **options)
    theirs.save_to_preset(str(tmp_path))
    network, tensors = ResNet([1, 1, 1, 1], bottleneck=True), read_keras_hub(tmp_path)
    apply_plan(make_plan(network, tensors, RESNET.assign(network, tensors), {}), network)
    images = np.random.default_rng(1).normal(size=(1, 61, 93, 3)).astype("float32")
    expected = keras.Model(theirs.inputs, dict(theirs.pyramid_outputs)).predict(images, verbose=0)
    found = network.predict(images, verbose=0)
    for stage in range(1, 5):
        reference = expected[f"P{stage + 1}"]
        assert reference.std() > 1e-3
        # Sums in another order; relative to the features' size, which random weights let grow from stage to stage.
        np.testing.assert_allclose(found[f"stage{stage}"], reference, rtol=0, atol=1e-4 * max(1.0, reference.std()))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"use_pre_activation": True}, "ResNet v2"),
        ({"block_type": "bottleneck_block_vd"}, "ResNet-vd"),
        ({"input_conv_filters": [32, 32, 64], "input_conv_kernel_sizes": [3, 3, 3]}, "ResNet-vd"),
    ],
)
def test_other_variants_are_refused_with_the_reason(options, reason, describe, tmp_path):
    describe(config=OPTIONS | options)
    with pytest.raises(ModelError, match=f"cannot be used.*{reason}.*such as 'resnet_50_imagenet'"):
        read_keras_hub(tmp_path)


def test_other_backbones_are_refused(describe, tmp_path):
    describe(registered_name="keras_hub>ViTBackbone")
    with pytest.raises(ModelError, match="holds keras_hub>ViTBackbone; expected keras_hub>ResNetBackbone"):
        read_keras_hub(tmp_path)


def test_a_damaged_folder(build, tmp_path):
    build(stackwise_num_blocks=[1], stackwise_num_filters=[64], stackwise_num_strides=[1]).save_to_preset(str(tmp_path))
    weights = tmp_path / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match="fetch both again") as error:
        read_keras_hub(tmp_path)
    assert "\n" not in str(error.value)
    weights.unlink()
    with pytest.raises(ModelError, match=r"no model\.weights\.h5"):
        read_keras_hub(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet_v2_50_imagenet", "ResNet v2"),
        ("resnet_vd_50_imagenet", "ResNet-vd"),
        ("resnet_50_imagnet", r"no Keras Hub ResNet 'resnet_50_imagnet' \(did you mean 'resnet_50_imagenet'\?\)"),
    ],
)
def test_names_that_cannot_be_loaded(name, message):
    assert is_keras_hub(name)
    with pytest.raises(ModelError, match=message):
        read_keras_hub(name)


def test_names_and_folders_of_others(tmp_path):
    (tmp_path / "config.json").write_text('{"architecture": "resnet50"}')
    assert not is_keras_hub(tmp_path)
    for source in ("resnet50", "imagenet", "resnet50.pth", tmp_path / "no"):
        assert not is_keras_hub(source)


def test_our_names_are_keras_hubs():
    keras_hub = pytest.importorskip("keras_hub")
    assert set(ours.NAMES) <= set(keras_hub.models.ResNetBackbone.presets)


def test_without_a_network_one_line_says_so(monkeypatch):
    keras_hub = pytest.importorskip("keras_hub")

    def fail(source):
        raise ConnectionError("Max retries exceeded\nwith url")

    monkeypatch.setattr(keras_hub.models.ResNetBackbone, "from_preset", fail)
    with pytest.raises(
        ModelError, match=r"resnet_50_imagenet \(Max retries exceeded with url\); without a network, give"
    ):
        read_keras_hub("resnet_50_imagenet")


def test_tensorflow_stays_unloaded_on_jax(build, tmp_path):
    build(stackwise_num_blocks=[1], stackwise_num_filters=[64], stackwise_num_strides=[1]).save_to_preset(str(tmp_path))
    program = (
        "import sys; from desertseg.models.weights.keras_hub import read_keras_hub; "
        f"print(len(read_keras_hub({str(tmp_path)!r})), 'tensorflow' in sys.modules)"
    )
    command, environment = [sys.executable, "-c", program], os.environ | {"KERAS_BACKEND": "jax"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
