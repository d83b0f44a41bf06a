"""Every named feature of our ResNet against torchvision's, timm's and segmentation_models.pytorch's."""

import pytest

from desertseg.models import ResNet, load_weights_from
from desertseg.models.catalogue import BACKBONES

pytestmark = pytest.mark.parity
FEATURES = {"relu": "stem", "layer1": "stage1", "layer2": "stage2", "layer3": "stage3", "layer4": "stage4"}


def build(name, **options):
    return ResNet(**BACKBONES[name][1], **options)


@pytest.fixture
def compare(assert_near):
    def compare(network, features, images):
        ours = network.predict(images, verbose=0)
        assert set(ours) == set(features)
        for name, expected in features.items():
            assert_near(ours[name], expected)

    return compare


def deep(*names):
    """The deepest take minutes to compile: they are among the slow tests."""
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", *deep("resnet101", "resnet152")])
def test_torchvision(name, images, randomize, run_torch, load_from, compare):
    import torchvision

    reference = randomize(getattr(torchvision.models, name)(weights=None))
    getter = torchvision.models._utils.IntermediateLayerGetter(reference, FEATURES)
    network = build(name)
    loaded = load_from(network, reference)
    assert set(loaded.excused) == {"fc.weight", "fc.bias"}
    compare(network, run_torch(getter, images), images)


@pytest.mark.parametrize("name", ["resnet18", *deep("resnet34", "resnet50", "resnet101", "resnet152")])
def test_one_training_step_moves_the_statistics_alike(name, randomize, load_from, assert_statistics_move_alike):
    import torchvision

    reference = randomize(getattr(torchvision.models, name)(weights=None))
    network = build(name)
    load_from(network, reference)
    assert_statistics_move_alike(network, network, reference)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_torchvision_dilated(output_stride, images, randomize, run_torch, load_from, compare):
    import torchvision

    replaced = [False, output_stride == 8, True]
    reference = randomize(torchvision.models.resnet50(weights=None, replace_stride_with_dilation=replaced))
    getter = torchvision.models._utils.IntermediateLayerGetter(reference, FEATURES)
    network = build("resnet50", output_stride=output_stride)
    load_from(network, reference)
    compare(network, run_torch(getter, images), images)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_timm(name, output_stride, images, randomize, run_torch, weight_file, compare):
    import timm

    reference = randomize(timm.create_model(name, features_only=True, output_stride=output_stride))
    features = dict(zip(FEATURES.values(), run_torch(reference, images), strict=True))
    network = build(name, output_stride=output_stride)
    load_weights_from(network, weight_file(reference), say=None)
    compare(network, features, images)


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_segmentation_models_dilated(name, output_stride, images, randomize, run_torch, load_from, compare):
    import segmentation_models_pytorch as smp

    reference = randomize(smp.encoders.get_encoder(name, weights=None, output_stride=output_stride))
    features = dict(zip(FEATURES.values(), run_torch(reference, images)[1:], strict=True))
    network = build(name, output_stride=output_stride, dilate_first_block=True)
    load_from(network, reference)
    compare(network, features, images)
