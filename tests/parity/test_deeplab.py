"""Logits against torchvision's DeepLabV3 and segmentation_models.pytorch's DeepLabV3+, built as the file says."""

import math

import pytest

from desertseg.labels import load_labels
from desertseg.models import DeepLabV3, ResNet, build_segmenter, describe_weights, load_weights_from
from desertseg.models.catalogue import BACKBONES

pytestmark = pytest.mark.parity


def without_dropout(module):
    import torch

    for layer in module.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    return module


@pytest.mark.parametrize("auxiliary", [False, True])
@pytest.mark.parametrize("name", ["resnet50", pytest.param("resnet101", marks=pytest.mark.slow)])
def test_torchvision_deeplabv3(name, auxiliary, images, randomize, run_torch, load_from, assert_near):
    import torchvision

    build = getattr(torchvision.models.segmentation, f"deeplabv3_{name}")
    reference = randomize(build(weights=None, weights_backbone=None, num_classes=21, aux_loss=auxiliary))
    backbone = ResNet(**BACKBONES[name][1], output_stride=8)
    network = DeepLabV3(backbone, 21, atrous_rates=(12, 24, 36), dropout=0.0, auxiliary=auxiliary)
    assert not load_from(network, reference).excused
    if auxiliary:
        # The counts that torchvision publishes for its weights.
        published = {"resnet50": 42_004_074, "resnet101": 60_996_202}[name]
        assert sum(math.prod(v.shape) for v in network.trainable_variables) == published
    ours, theirs = network.predict(images, verbose=0), run_torch(reference, images)
    for key, their_key in {"logits": "out", **({"auxiliary": "aux"} if auxiliary else {})}.items():
        assert_near(ours[key] if auxiliary else ours, theirs[their_key])


# It takes sizes that 16 divides alone.
@pytest.mark.parametrize("images", [(64, 96), (96, 80)], ids=["64x96", "96x80"], indirect=True)
@pytest.mark.parametrize(("backbone", "classes"), [("resnet18", 10), ("resnet50", 7), ("resnet34", 1)])
def test_segmentation_models_deeplabv3plus(backbone, classes, images, randomize, run_torch, weight_file, assert_near):
    import segmentation_models_pytorch as smp

    reference = randomize(smp.DeepLabV3Plus(backbone, encoder_weights=None, classes=classes))
    path = weight_file(reference)
    found = describe_weights(path)
    assert (found.backbone, found.num_classes) == (backbone, classes)
    labels = load_labels("falcon")
    segmenter = build_segmenter(found.model, found.backbone, labels, **found.options)
    if classes == labels.num_classes:
        assert not load_weights_from(segmenter, path, say=None).reinitialized
        assert_near(segmenter.network.predict(images, verbose=0), run_torch(reference, images))
    else:
        assert set(load_weights_from(segmenter, path, say=None).reinitialized) == {
            "classifier/kernel",
            "classifier/bias",
        }


@pytest.mark.parametrize("build", ["torchvision", "segmentation_models"])
def test_one_training_step_moves_the_statistics_alike(build, randomize, load_from, assert_statistics_move_alike):
    if build == "torchvision":
        import torchvision

        reference = torchvision.models.segmentation.deeplabv3_resnet50(
            weights=None, weights_backbone=None, num_classes=10, aux_loss=True
        )
        network = DeepLabV3(ResNet(**BACKBONES["resnet50"][1], output_stride=8), 10, auxiliary=True)
    else:
        import segmentation_models_pytorch as smp

        reference = smp.DeepLabV3Plus("resnet18", encoder_weights=None, classes=10)
        found = describe_weights({k: v.numpy() for k, v in reference.state_dict().items()})
        network = build_segmenter(found.model, found.backbone, **found.options).network
    load_from(network, randomize(reference))
    assert_statistics_move_alike(network, network, without_dropout(reference))
