"""Logits against torchvision's DeepLabV3 and segmentation_models.pytorch's DeepLabV3+."""

import math

import pytest

from desertseg.models import DeepLabV3, DeepLabV3Plus, ResNet
from desertseg.models.zoo import _BACKBONES

pytestmark = pytest.mark.parity


def aspp_names(prefix, separable):
    """Our layers of the ASPP -> their modules."""
    names = {"pointwise": "convs.0.{}", "pooling": "convs.4.{}", "project": "project.{}"}
    found = {
        f"aspp_{k}_{kind}": v.format(i + (k == "pooling"))
        for k, v in names.items()
        for i, kind in enumerate(("conv", "norm"))
    }
    for i in (1, 2, 3):
        conv = f"convs.{i}.0.1" if separable else f"convs.{i}.0"
        found |= {
            f"aspp_atrous{i}_depthwise": f"convs.{i}.0.0",
            f"aspp_atrous{i}_conv": conv,
            f"aspp_atrous{i}_norm": f"convs.{i}.1",
        }
    return {name: prefix + module for name, module in found.items()}


@pytest.mark.parametrize("auxiliary", [False, True])
def test_torchvision_deeplabv3(auxiliary, images, randomize, run_torch, copy_weights, backbone_names, assert_near):
    import torchvision

    build = torchvision.models.segmentation.deeplabv3_resnet50
    reference = randomize(build(weights=None, weights_backbone=None, num_classes=21, aux_loss=auxiliary))
    backbone = ResNet(**_BACKBONES["resnet50"], output_stride=8)
    network = DeepLabV3(backbone, 21, atrous_rates=(12, 24, 36), dropout=0.5, auxiliary=auxiliary)
    names = aspp_names("classifier.0.", separable=False) | {
        "decoder1_conv": "classifier.1",
        "decoder1_norm": "classifier.2",
        "classifier": "classifier.4",
        "auxiliary_conv": "aux_classifier.0",
        "auxiliary_norm": "aux_classifier.1",
        "auxiliary_classifier": "aux_classifier.4",
    }
    copy_weights(reference.state_dict(), network, lambda n: names.get(n) or f"backbone.{backbone_names(n)}")
    if auxiliary:
        # The count that torchvision publishes for its weights.
        assert sum(math.prod(v.shape) for v in network.trainable_variables) == 42_004_074
    ours, theirs = network.predict(images, verbose=0), run_torch(reference, images)
    for name, key in {"logits": "out", **({"auxiliary": "aux"} if auxiliary else {})}.items():
        assert_near(ours[name] if auxiliary else ours, theirs[key])


@pytest.mark.parametrize(("backbone", "output_stride"), [("resnet18", 16), ("resnet50", 16), ("resnet18", 8)])
def test_segmentation_models_deeplabv3plus(
    backbone, output_stride, images, randomize, run_torch, copy_weights, backbone_names, assert_near
):
    import segmentation_models_pytorch as smp

    reference = randomize(
        smp.DeepLabV3Plus(backbone, encoder_weights=None, encoder_output_stride=output_stride, classes=10)
    )
    network = DeepLabV3Plus(
        ResNet(**_BACKBONES[backbone], output_stride=output_stride, dilate_first_block=True),
        10,
        atrous_rates=(12, 24, 36),
        aspp_refinement=True,
        decoder_convolutions=1,
        dropout=0.5,
        align_corners=True,
    )
    names = aspp_names("decoder.aspp.0.", separable=True) | {
        "aspp_refine_depthwise": "decoder.aspp.1.0",
        "aspp_refine_conv": "decoder.aspp.1.1",
        "aspp_refine_norm": "decoder.aspp.2",
        "low_level_conv": "decoder.block1.0",
        "low_level_norm": "decoder.block1.1",
        "decoder1_depthwise": "decoder.block2.0.0",
        "decoder1_conv": "decoder.block2.0.1",
        "decoder1_norm": "decoder.block2.1",
        "classifier": "segmentation_head.0",
    }
    copy_weights(reference.state_dict(), network, lambda n: names.get(n) or f"encoder.{backbone_names(n)}")
    assert_near(network.predict(images, verbose=0), run_torch(reference, images))
