"""Every named feature of our ResNet against torchvision's, timm's and segmentation_models.pytorch's."""

import pytest

from desertseg.models import ResNet
from desertseg.models.zoo import _BACKBONES

pytestmark = pytest.mark.parity
FEATURES = {"relu": "stem", "layer1": "stage1", "layer2": "stage2", "layer3": "stage3", "layer4": "stage4"}


@pytest.fixture
def compare(copy_weights, backbone_names, assert_near):
    def compare(network, state, features, images):
        copy_weights({k: v for k, v in state.items() if not k.startswith("fc.")}, network, backbone_names)
        ours = network.predict(images, verbose=0)
        assert set(ours) == set(features)
        for name, expected in features.items():
            assert_near(ours[name], expected)

    return compare


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_torchvision(name, images, randomize, run_torch, compare):
    import torchvision

    reference = randomize(getattr(torchvision.models, name)(weights=None))
    getter = torchvision.models._utils.IntermediateLayerGetter(reference, FEATURES)
    compare(ResNet(**_BACKBONES[name]), reference.state_dict(), run_torch(getter, images), images)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_torchvision_dilated(output_stride, images, randomize, run_torch, compare):
    import torchvision

    replaced = [False, output_stride == 8, True]
    reference = randomize(torchvision.models.resnet50(weights=None, replace_stride_with_dilation=replaced))
    getter = torchvision.models._utils.IntermediateLayerGetter(reference, FEATURES)
    network = ResNet(**_BACKBONES["resnet50"], output_stride=output_stride)
    compare(network, reference.state_dict(), run_torch(getter, images), images)


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_timm_dilated(name, output_stride, images, randomize, run_torch, compare):
    import timm

    reference = randomize(timm.create_model(name, features_only=True, output_stride=output_stride))
    features = dict(zip(FEATURES.values(), run_torch(reference, images), strict=True))
    network = ResNet(**_BACKBONES[name], output_stride=output_stride)
    compare(network, reference.state_dict(), features, images)


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_segmentation_models_dilated(name, output_stride, images, randomize, run_torch, compare):
    import segmentation_models_pytorch as smp

    reference = randomize(smp.encoders.get_encoder(name, weights=None, output_stride=output_stride))
    features = dict(zip(FEATURES.values(), run_torch(reference, images)[1:], strict=True))
    network = ResNet(**_BACKBONES[name], output_stride=output_stride, dilate_first_block=True)
    compare(network, reference.state_dict(), features, images)
