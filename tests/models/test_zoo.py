import pytest

from desertseg.models import (
    DeepLabV3,
    ModelError,
    ResNet,
    available_backbones,
    available_models,
    available_networks,
    build_segmenter,
)
from desertseg.models.catalogue import backbone_name
from desertseg.models.zoo import network_spec


def test_names():
    assert available_models()[:2] == ["deeplabv3", "deeplabv3plus"]
    assert available_backbones()[:5] == ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    assert "deeplabv3plus_resnet101" in available_networks()


def test_options_reach_model_and_backbone(tiny_options):
    model = build_segmenter("deeplabv3", "resnet50", "falcon7", (64, 96), 8, separable=True, **tiny_options)
    network = model.network
    assert isinstance(network, DeepLabV3)
    assert (network.separable, network.num_classes, network.atrous_rates) == (True, 7, (12, 24, 36))
    assert (network.backbone.width, network.backbone.output_stride, network.backbone.bottleneck) == (8, 8, True)
    assert model.size == (64, 96)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "deeplabv3+"}, r"no model 'deeplabv3\+' \(did you mean 'deeplabv3"),
        ({"backbone": "resnet5O"}, "did you mean 'resnet50'.* resnet18, resnet34, resnet50, resnet101, resnet152"),
        ({"backbone": "vgg"}, "no backbone 'vgg'; there are resnet18"),
        ({"seperable": True}, r"no option 'seperable' \(did you mean 'separable'"),
        ({"output_stride": 4}, "choose 8, 16 or 32"),
        ({"open_blocks": "some"}, "a number of blocks, 'all' or 'auto'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(arguments, message):
    with pytest.raises(ModelError, match=message):
        build_segmenter(**arguments)


# The table of the five systems: labels, size, backbone, output stride, classes, and whether the backbone is trained.
SYSTEMS = {
    "deeplabv3_r50_256": ("falcon", (256, 256), "resnet50", 8, 10, True),
    "deeplabv3_r50_steplr": ("falcon", (256, 256), "resnet50", 8, 10, True),
    "dinov2_phase1": ("falcon_starter", (266, 476), "dinov2_vits14", 14, 10, False),
    "dinov2_phase2": ("falcon_starter", (266, 476), "dinov2_vits14", 14, 10, False),
    "dinov2_phase3": ("falcon_starter", (364, 644), "dinov2_vitb14_reg", 14, 10, False),
    "codecrunch_r101": ("falcon7", (512, 896), "resnet101", 16, 7, True),
    "dinov2_vits_convnext": ("falcon_starter", (266, 476), "dinov2_vits14", 14, 10, False),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_five_published_systems_are_built_by_name(name):
    labels, size, backbone, output_stride, classes, trained = SYSTEMS[name]
    model = build_segmenter(name)
    assert (model.labels.name, model.size, model.num_classes) == (labels, size, classes)
    assert backbone_name(model.network.backbone) == backbone
    assert model.network.backbone.output_stride == output_stride
    assert bool(model.network.backbone.trainable_variables) == trained


def test_every_name_of_the_zoo_stands_for_a_network():
    for name in available_networks():
        spec = network_spec(name)
        assert spec.architecture in available_models()
        assert spec.backbone in available_backbones()


def test_a_backbone_of_your_own():
    own = ResNet((1, 1, 1, 1), width=4, output_stride=8, name="mine")
    model = build_segmenter("deeplabv3plus", own, aspp_channels=8)
    assert model.network.backbone is own
    assert model.network.atrous_rates == (12, 24, 36)
    with pytest.raises(ModelError, match="no option 'width'"):
        build_segmenter("deeplabv3plus", own, width=8)
