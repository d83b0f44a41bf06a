"""Every named feature of MobileNetV3-Large and the logits of LR-ASPP against torchvision's."""

import math

import numpy as np
import pytest
import torch

from desertseg.models import ModelError
from desertseg.models.lraspp import LRASPP
from desertseg.models.mobilenet import MobileNetV3, block_names
from desertseg.models.weights import describe_weights, load_weights_from

pytestmark = pytest.mark.parity

# Every block, so that one that is wrong is named; 253x449 is odd at every stride.
FEATURES = {str(i): name for i, name in enumerate(["stem", *block_names(), "stage4"])}
SIZES = pytest.mark.parametrize("size", [(64, 96), (253, 449)], ids=["64x96", "253x449"])


def random_images(size, batch=1):
    return np.random.default_rng(0).normal(size=(batch, *size, 3)).astype("float32")


def save(module, folder):
    torch.save(module.state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def build_lraspp(classes=21):
    import torchvision

    build = torchvision.models.segmentation.lraspp_mobilenet_v3_large
    return build(weights=None, weights_backbone=None, num_classes=classes)


def our_lraspp(classes=21):
    return LRASPP(MobileNetV3(features=("stage2_block1", "stage4")), classes)


@SIZES
@pytest.mark.parametrize("output_stride", [16, 32])
def test_features(output_stride, size, randomize, run_torch, assert_near, tmp_path):
    import torchvision

    reference = randomize(torchvision.models.mobilenet_v3_large(weights=None, dilated=output_stride == 16))
    network = MobileNetV3(output_stride=output_stride, features=tuple(FEATURES.values()))
    path = save(reference, tmp_path)
    assert describe_weights(path).backbone == "mobilenetv3_large"
    load_weights_from(network, path)
    getter = torchvision.models._utils.IntermediateLayerGetter(reference.features, FEATURES)
    images = random_images(size)
    ours, theirs = network.predict(images, verbose=0), run_torch(getter, images)
    assert set(ours) == set(FEATURES.values())
    for name, expected in theirs.items():
        assert_near(ours[name], expected)


@SIZES
def test_logits(size, randomize, run_torch, assert_near, tmp_path):
    reference, network = randomize(build_lraspp()), our_lraspp()
    load_weights_from(network, save(reference, tmp_path))
    # The count that torchvision publishes for its weights.
    assert sum(math.prod(v.shape) for v in network.trainable_variables) == 3_221_538
    images = random_images(size)
    assert_near(network.predict(images, verbose=0), run_torch(reference, images)["out"])


def test_one_training_step_moves_the_statistics_alike(randomize, assert_statistics_move_alike, tmp_path):
    reference, network = randomize(build_lraspp()), our_lraspp()
    load_weights_from(network, save(reference, tmp_path))
    assert_statistics_move_alike(network, network, reference)


def test_another_class_count_starts_the_classifiers_anew(randomize, tmp_path):
    network = our_lraspp(10)
    loaded = load_weights_from(network, save(randomize(build_lraspp()), tmp_path), say=None)
    assert len(loaded.reinitialized) == 4
    assert all("classifier" in name for name in loaded.reinitialized)


def test_the_backbone_alone_serves_another_head(randomize, tmp_path, run_torch, assert_near):
    from desertseg.models import DeepLabV3Plus

    reference = randomize(build_lraspp())
    network = DeepLabV3Plus(MobileNetV3(), 10, aspp_channels=8, decoder_channels=8)
    load_weights_from(network, save(reference, tmp_path))
    images = random_images((64, 96))
    ours = network.backbone.predict(images, verbose=0)["stage4"]
    assert_near(ours, run_torch(reference.backbone, images)["high"])


def test_another_low_feature_is_refused(tmp_path):
    with pytest.raises(ModelError, match="scores feature 'stage2_block1', this network 'stage2'"):
        load_weights_from(LRASPP(MobileNetV3(), 21), save(build_lraspp(), tmp_path))
