"""From tensors by PyTorch's names into our variables: all of them, each once, or nothing and a message."""

import keras
import numpy as np
import pytest

from desertseg.models import ModelError, ResNet, build_segmenter, describe_weights, load_weights_from
from desertseg.models.weights.deeplab import TORCHVISION_DEEPLABV3
from desertseg.models.weights.dinov2 import STARTER_HEAD
from desertseg.models.weights.layout import Convolution
from desertseg.models.weights.resnet import RESNET

CLASSES = 4


def as_torch_has_it(layout, target):
    """Return tensors by PyTorch's names, with random values, that `layout` would put into `target`."""
    generator = np.random.default_rng(0)
    found = {}
    for assignment in layout.assign(target, {}):
        shape = tuple(assignment.variable.shape)
        value = generator.normal(size=shape).astype("float32")
        found[assignment.tensors[0]] = value.transpose(3, 2, 0, 1) if len(shape) == 4 else value
    return found


@pytest.fixture(scope="module")
def backbone():
    """A ResNet-18 of half the published width would be none to the importer: the real one."""
    return ResNet((2, 2, 2, 2), output_stride=16, name="backbone")


@pytest.fixture(scope="module")
def tensors(backbone):
    counters = {"bn1.num_batches_tracked": np.array(7)}
    head = {"fc.weight": np.zeros((1000, 512), "float32"), "fc.bias": np.zeros(1000, "float32")}
    return as_torch_has_it(RESNET, backbone) | counters | head


@pytest.fixture(scope="module")
def segmenter(backbone):
    from desertseg.models import DeepLabV3Plus, Segmenter

    return Segmenter(DeepLabV3Plus(backbone, 10, aspp_channels=8, decoder_channels=8, name="network"), "falcon")


def values(model):
    return [np.array(v) for v in model.weights]


def test_a_backbone_is_filled_and_the_head_left_alone(segmenter, tensors, capsys):
    head = [np.array(v) for v in segmenter.network.weights if "classifier" in v.path]
    loaded = load_weights_from(segmenter, tensors)
    assert (loaded.part, loaded.layout) == ("backbone", "torchvision or timm ResNet")
    assert loaded.tensors == len(tensors) - 3
    assert set(loaded.excused) == {"fc.weight", "fc.bias"}
    kernel = segmenter.network.backbone.get_layer("stem_conv").kernel
    np.testing.assert_array_equal(kernel, tensors["conv1.weight"].transpose(2, 3, 1, 0))
    for variable, old in zip((v for v in segmenter.network.weights if "classifier" in v.path), head, strict=True):
        np.testing.assert_array_equal(variable, old)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("weights: backbone from the given tensors (torchvision or timm ResNet), ")
    assert printed[1] == "weights: left out fc.weight, fc.bias: ImageNet classifier"


def without(tensors):
    return {k: v for k, v in tensors.items() if k != "layer3.0.conv2.weight"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, r"1 missing: layer3\.0\.conv2\.weight"),
        (lambda t: t | {"layer3.0.extra": t["bn1.weight"]}, r"1 unexpected: layer3\.0\.extra"),
        (
            lambda t: t | {"bn1.weight": t["bn1.weight"][:5]},
            r"1 wrong shape: bn1\.weight \(5,\) for stem_norm/gamma \(64,\)",
        ),
        (
            lambda t: t | {"layer2.0.conv2.weight": np.zeros((3, 3))},
            r"1 wrong shape: layer2\.0\.conv2\.weight \(3, 3\)",
        ),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_loaded(change, message, segmenter, tensors):
    before = values(segmenter)
    with pytest.raises(ModelError, match=f"nothing was loaded.*{message}"):
        load_weights_from(segmenter, change(tensors))
    for value, old in zip(values(segmenter), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_another_depth_names_both(tensors):
    with pytest.raises(ModelError, match="the file holds the backbone resnet18, the model is deeplabv3 on resnet34"):
        load_weights_from(build_segmenter("deeplabv3", "resnet34", aspp_channels=8, decoder_channels=8), tensors)


def test_unknown_tensors():
    with pytest.raises(ModelError, match="holds 1 tensors \\(a\\) in no layout known here: torchvision DeepLabV3"):
        describe_weights({"a": np.zeros(3)})


@pytest.fixture(scope="module")
def whole():
    """A torchvision DeepLabV3 ResNet-50 with four classes, and the network of ours that it fits."""
    model = build_segmenter("deeplabv3", "resnet50", output_stride=8)
    tensors = as_torch_has_it(TORCHVISION_DEEPLABV3, model.network)
    tensors["classifier.4.weight"] = tensors["classifier.4.weight"][:CLASSES]
    tensors["classifier.4.bias"] = tensors["classifier.4.bias"][:CLASSES]
    tensors["aux_classifier.4.bias"] = np.zeros(CLASSES, "float32")
    return model, tensors


def test_another_class_count_starts_the_classifier_anew(whole):
    model, tensors = whole
    found = describe_weights(tensors)
    assert (found.model, found.backbone, found.num_classes) == ("deeplabv3", "resnet50", CLASSES)
    classifier = model.network.get_layer("classifier")
    classifier.kernel.assign(np.full(classifier.kernel.shape, 9.0))
    told = []
    loaded = load_weights_from(model, tensors, say=told.append)
    assert set(loaded.reinitialized) == {"classifier/kernel", "classifier/bias"}
    assert "weights: classifier/kernel starts anew: the file has 4 classes, the model 10" in told
    assert np.abs(np.asarray(classifier.kernel)).max() < 1
    assert loaded.excused["aux_classifier.4.bias"] == "auxiliary head, which the network does not have"
    expected = tensors["classifier.1.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(model.network.get_layer("decoder1_conv").kernel, expected)


def test_a_whole_network_fills_the_backbone_of_another(whole):
    _, tensors = whole
    model = build_segmenter("deeplabv3plus", "resnet50", aspp_channels=8, decoder_channels=8)
    loaded = load_weights_from(model, tensors, say=None)
    assert loaded.part == "backbone"
    assert set(loaded.excused.values()) == {"head of deeplabv3"}
    expected = tensors["backbone.layer4.2.conv3.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(model.network.backbone.get_layer("stage4_block3_3_conv").kernel, expected)


def test_our_own_file_with_other_labels(tiny_options, tmp_path):
    trained = build_segmenter(labels="falcon", **tiny_options)
    trained.save(tmp_path / "best.keras")
    found = describe_weights(tmp_path / "best.keras")
    fresh = build_segmenter(found.model, found.backbone, "falcon7", **found.options)
    loaded = load_weights_from(fresh, tmp_path / "best.keras", say=None)
    assert (loaded.part, set(loaded.reinitialized)) == ("network", {"classifier/kernel", "classifier/bias"})
    images = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")
    features = trained.network.backbone.predict(images, verbose=0)
    for name, value in fresh.network.backbone.predict(images, verbose=0).items():
        np.testing.assert_array_equal(value, features[name])


def test_our_own_file_with_as_many_other_labels(tiny_options, tmp_path):
    build_segmenter(labels="falcon", **tiny_options).save(tmp_path / "best.keras")
    same, other = (build_segmenter(labels=name, **tiny_options) for name in ("falcon", "falcon_starter"))
    assert same.num_classes == other.num_classes
    assert load_weights_from(same, tmp_path / "best.keras", say=None).reinitialized == {}
    loaded = load_weights_from(other, tmp_path / "best.keras", say=None)
    why = "the file's classes are those of 'falcon', the model's those of 'falcon_starter'"
    assert loaded.reinitialized == dict.fromkeys(("classifier/kernel", "classifier/bias"), why)


def test_what_leaves_no_trace_in_the_tensors_is_told(whole):
    model, tensors = whole
    assert load_weights_from(model, tensors, say=None).notes == ()
    coarse = build_segmenter("deeplabv3", "resnet50", output_stride=16)
    assert load_weights_from(coarse, tensors, say=None).notes == (
        "the file's network has output_stride=8, atrous_rates=(12, 24, 36), this one output_stride=16, "
        "atrous_rates=(6, 12, 18): its weights fit, but compute something else here",
    )


def test_a_file_of_as_many_unnamed_classes_says_how_they_are_taken(whole):
    model, tensors = whole
    head = {"classifier.4.weight": np.zeros((10, 256, 1, 1), "float32"), "classifier.4.bias": np.zeros(10, "float32")}
    loaded = load_weights_from(model, tensors | head, say=None)
    assert loaded.notes == ("its 10 classes are taken for those of 'falcon', in the same order",)


def test_a_head_by_itself_says_so():
    model = build_segmenter("convnext_head", width=64, depth=1, num_heads=1)
    tensors = as_torch_has_it(STARTER_HEAD, model.network)
    tensors["block.0.weight"] = tensors["block.0.weight"].swapaxes(0, 1)
    loaded = load_weights_from(model, tensors, say=None)
    assert loaded.part == "head"
    assert loaded.lines()[0] == "weights: head from the given tensors (starter code's segmentation head), 8 tensors"
    assert "the backbone keeps its weights, random ones if none were loaded" in loaded.notes[0]


def test_the_weights_that_keras_saves(tiny_options, tmp_path):
    trained, fresh = build_segmenter(**tiny_options), build_segmenter(**tiny_options)
    trained.save_weights(tmp_path / "a.weights.h5")
    load_weights_from(fresh, tmp_path / "a.weights.h5", say=None)
    for value, expected in zip(values(fresh), values(trained), strict=True):
        np.testing.assert_array_equal(value, expected)
    with pytest.raises(ModelError, match="does not say which network"):
        describe_weights(tmp_path / "a.weights.h5")


def test_published_weights_come_from_the_mirror(tensors, segmenter, tmp_path, monkeypatch):
    from safetensors.numpy import save_file

    from desertseg.models.weights import presets

    monkeypatch.setenv("DESERTSEG_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(presets, "_check_hash", lambda *arguments: None)
    plain = {k: np.ascontiguousarray(v) for k, v in tensors.items()}
    save_file(plain, tmp_path / presets.find_preset("imagenet", model=None, backbone="resnet18").file)
    told = []
    load_weights_from(segmenter, "imagenet", say=told.append)
    assert told[0].startswith("weights: backbone from imagenet (resnet18-f37072fd.pth)")
    assert told[1].startswith("weights: licence: torchvision (BSD-3-Clause)")


def test_published_weights_need_a_backbone_of_the_zoo():
    own = ResNet((1, 1, 1, 1), width=4)
    with pytest.raises(ModelError, match="for a backbone of your own"):
        load_weights_from(own, "imagenet")
    with pytest.raises(ModelError, match="say of which"):
        describe_weights("imagenet")


def test_every_layer_type_has_a_way(backbone):
    kinds = {type(layer) for layer in backbone.layers if layer.weights}
    assert kinds >= {Convolution}
    inputs = keras.Input((3,))
    odd = keras.Model(inputs, keras.layers.PReLU(name="odd")(inputs))
    from desertseg.models.weights.layout import layer_assignments

    with pytest.raises(TypeError, match="odd is a PReLU"):
        layer_assignments(odd, lambda name: name)
