"""Our table of torchvision's weights against torchvision's own, and of DINOv2's against timm's."""

import pytest

from desertseg.models.weights.presets import PRESETS

pytestmark = pytest.mark.parity
NAMES = {
    ("mobilenetv3_large", None): "mobilenet_v3_large",
    ("resnet50", "deeplabv3"): "deeplabv3_resnet50",
    ("resnet101", "deeplabv3"): "deeplabv3_resnet101",
    ("mobilenetv3_large", "lraspp"): "lraspp_mobilenet_v3_large",
}
VERSIONS = {"imagenet_v1": "IMAGENET1K_V1", "imagenet_v2": "IMAGENET1K_V2", "coco": "COCO_WITH_VOC_LABELS_V1"}


def test_torchvision():
    import torchvision

    ours = [p for p in PRESETS if "download.pytorch.org" in p.url]
    for preset in ours:
        published = torchvision.models.get_model_weights(NAMES.get((preset.backbone, preset.model), preset.backbone))
        assert preset.url == published[VERSIONS[preset.name]].url
    for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet_v3_large"):
        for weights in torchvision.models.get_model_weights(name):
            assert weights.url in {p.url for p in ours}, "a version that our table has not"


def test_dinov2():
    import timm

    ours = {p.url for p in PRESETS if p.name == "dinov2"}
    sizes = [
        f"vit_{size}_patch14{registers}_dinov2"
        for size in ("small", "base", "large", "giant")
        for registers in ("", "_reg4")
    ]
    assert ours == {timm.models.get_pretrained_cfg(name, allow_unregistered=False).url for name in sizes}
