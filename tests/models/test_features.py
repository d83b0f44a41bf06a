import keras
import numpy as np
import pytest

from desertseg.models import DeepLabV3, DeepLabV3Plus, ModelError, ResNet
from desertseg.models.features import (
    feature_strides,
    output_stride_of,
    pick_feature,
    size_multiple_of,
    undo_normalization,
)
from desertseg.models.segmenter import normalize_images
from desertseg.models.upernet import UPerNet

NARROW = {"aspp_channels": 4, "decoder_channels": 4}


def tower(inputs, names):
    """Return {name: feature}: a convolution of stride 2 for each name; "" is left out."""
    x, features = inputs, {}
    for name in names:
        x = keras.layers.Conv2D(4, 3, 2, "same", activation="relu", kernel_initializer="ones")(x)
        features |= {name: x} if name else {}
    return features


def user_backbone(names=("", "low", "", "deep"), size=(None, None, 3)):
    inputs = keras.Input(size)
    return keras.Model(inputs, tower(inputs, names), name="mine")


def test_strides_are_sorted_and_inferred_without_an_attribute():
    backbone = user_backbone(("a", "b", "c", "d", "e"))
    assert feature_strides(backbone) == {"a": 2, "b": 4, "c": 8, "d": 16, "e": 32}
    assert (output_stride_of(backbone), size_multiple_of(backbone)) == (32, 1)


def test_equal_strides_keep_their_order():
    strides = feature_strides(ResNet((1, 1, 1, 1), width=4, output_stride=8))
    assert list(strides.items()) == [("stem", 2), ("stage1", 4), ("stage2", 8), ("stage3", 8), ("stage4", 8)]
    assert pick_feature(strides, None) == "stage4"
    assert pick_feature(strides, None, stride=4) == "stage1"
    assert pick_feature(strides, "stage2") == "stage2"


def test_unpadded_convolutions_round_to_the_stride():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(2, 7, 2)(inputs)
    backbone = keras.Model(inputs, {"a": x, "b": keras.layers.Conv2D(2, 5, 2)(x)})
    assert feature_strides(backbone) == {"a": 2, "b": 4}


def test_a_subclassed_model_serves():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = keras.layers.Conv2D(2, 4, 4)

        def call(self, images):
            return {"low": self.first(images)}

    assert feature_strides(Mine()) == {"low": 4}


def test_size_multiple_is_the_backbones():
    inputs = keras.Input((None, None, 3))
    backbone = keras.Model(inputs, {"patches": keras.layers.Conv2D(2, 14, 14)(inputs)})
    backbone.size_multiple = 14
    assert size_multiple_of(backbone) == 14
    network = DeepLabV3(backbone, 2, **NARROW)
    images = np.random.default_rng(0).normal(size=(1, 15, 30, 3)).astype("float32")
    logits = network.predict(images, verbose=0)
    assert logits.shape == (1, 15, 30, 2)
    # A plain Keras model's attribute is not saved; the head's argument is.
    assert DeepLabV3.from_config(network.get_config()).size_multiple == 14
    padded = network.predict(np.pad(images, ((0, 0), (0, 13), (0, 12), (0, 0))), verbose=0)
    np.testing.assert_allclose(logits, padded[:, :15, :30], rtol=0, atol=1e-6)


def fixed():
    return user_backbone(size=(64, 96, 3))


def grey():
    return user_backbone(size=(None, None, 1))


def no_dict():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs), name="mine")


def pooled():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, {"deep": keras.layers.GlobalAveragePooling2D()(inputs)})


def two_inputs():
    inputs = [keras.Input((None, None, 3)) for _ in range(2)]
    return keras.Model(inputs, {"deep": keras.layers.Add()(inputs)})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (fixed, r"fixed to images of 64x96; build it with input_shape=\(None, None, 3\)"),
        (grey, r"takes \(None, None, None, 1\); images \(None, None, None, 3\)"),
        (no_dict, "backbone 'mine' returns a KerasTensor; a dict of named features is expected"),
        (pooled, r"feature 'deep' .* has shape \(1, 3\); \(B, h, w, C\) is expected"),
        (two_inputs, "has 2 inputs; one"),
        (lambda: keras.layers.Conv2D(2, 3), "the backbone is a Conv2D; a keras.Model"),
        (lambda: user_backbone(("", "", "a", "b")), r"no feature of stride 4, only a \(stride 8\), b \(stride 16\)"),
    ],
)
def test_what_is_no_backbone_is_explained(build, message):
    with pytest.raises(ModelError, match=message):
        DeepLabV3Plus(build(), 2)


def test_a_wrong_feature_name_is_explained():
    with pytest.raises(ModelError, match=r"no feature 'lo' \(did you mean 'low'\?\); low_level can be low"):
        DeepLabV3Plus(user_backbone(), 2, low_level="lo")
    with pytest.raises(ModelError, match="auxiliary head needs a feature before 'low'"):
        DeepLabV3(user_backbone(), 2, deep="low", auxiliary=True)


def test_undo_normalization_gives_bytes_back():
    inputs = keras.Input((None, None, 3))
    backbone = undo_normalization(keras.Model(inputs, {"all": keras.layers.Identity()(inputs)}))
    images = np.random.default_rng(0).integers(0, 256, (1, 3, 4, 3)).astype("float32")
    np.testing.assert_allclose(backbone(normalize_images(images))["all"], images, rtol=0, atol=1e-3)
    assert feature_strides(backbone) == {"all": 1}


def mobilenet_v2():
    encoder = keras.applications.MobileNetV2((None, None, 3), alpha=0.05, include_top=False, weights=None)
    names = {"low": "block_3_expand_relu", "middle": "block_6_expand_relu", "deep": "block_13_expand_relu"}
    return keras.Model(encoder.input, {name: encoder.get_layer(layer).output for name, layer in names.items()})


def mobilenet_v3():
    """Preprocessing and squeeze-excitation inside, nested in a model of the user's."""
    encoder = keras.applications.MobileNetV3Small((None, None, 3), alpha=0.05, include_top=False, weights=None)
    features = {"low": encoder.get_layer("expanded_conv_1_expand_bn").output, "deep": encoder.output}
    return undo_normalization(keras.Model(encoder.input, features))


NETWORKS = [(DeepLabV3Plus, NARROW), (DeepLabV3, NARROW), (UPerNet, {"channels": 4})]


# Keras' own layers compile slowly on JAX.
@pytest.mark.parametrize("build", [mobilenet_v2, pytest.param(mobilenet_v3, marks=pytest.mark.slow)])
def test_applications_go_into_every_head_and_file(build, tmp_path):
    images = np.random.default_rng(0).normal(size=(1, 45, 70, 3)).astype("float32")
    backbone = build()
    for network_class, options in NETWORKS:
        network = network_class(backbone, 3, **options)
        expected = network.predict(images, verbose=0)
        assert expected.shape == (1, 45, 70, 3)
    network.save(tmp_path / "n.keras")
    loaded = keras.saving.load_model(tmp_path / "n.keras")
    assert loaded.backbone.name == backbone.name
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), expected)


def test_a_users_names_choose_the_features():
    network = DeepLabV3Plus(user_backbone(("half", "a", "b", "c")), 2, low_level="b", **NARROW)
    assert (network.low_level, network.deep, network.atrous_rates) == ("b", "c", (6, 12, 18))
    shallow = DeepLabV3(user_backbone(("half", "a", "b", "c")), 2, deep="b", **NARROW)
    assert shallow.atrous_rates == (12, 24, 36)
