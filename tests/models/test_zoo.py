import pytest

from desertseg.models import (
    DeepLabV3,
    ModelError,
    available_backbones,
    available_models,
    available_networks,
    build_segmenter,
)


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
    ],
)
def test_unknown_names_are_answered_with_the_nearest(arguments, message):
    with pytest.raises(ModelError, match=message):
        build_segmenter(**arguments)
