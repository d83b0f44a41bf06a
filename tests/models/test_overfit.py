"""Every network of the zoo learns eight frames by heart: gradients reach what they must, and the sizes fit.

A frame is drawn in cells of two pixels of the network's finest features: what is finer no network can learn, and it
would say nothing about its training.
"""

import keras
import numpy as np
import pytest

from desertseg.data.letterbox import resize_image, resize_labels
from desertseg.data.synthetic import draw_frame
from desertseg.labels import load_labels
from desertseg.layers import BatchNormalization
from desertseg.losses import CrossEntropy
from desertseg.metrics import Scores, count_confusion_numpy
from desertseg.models import available_backbones, build_segmenter

TARGET = 0.95
SMALL = [
    ("deeplabv3plus", "resnet18", {"width": 32}),
    pytest.param("segformer", "mit_b0", {}, marks=pytest.mark.slow),
    pytest.param("linear", "dinov2_vits14", {"width": 96, "depth": 4, "num_heads": 4}, marks=pytest.mark.slow),
]
_RESNETS = [b for b in available_backbones() if b.startswith("resnet")]
_DINOV2 = [b for b in available_backbones() if b.startswith("dinov2")]
ALL = [
    *((a, b) for a in ("deeplabv3plus", "deeplabv3") for b in _RESNETS),
    ("upernet", "resnet50"),
    *((a, "dinov2_vits14") for a in ("convnext_head", "upernet", "dilated_upernet")),
    *(("segformer", f"mit_b{i}") for i in range(6)),
    *(("linear", b) for b in _DINOV2),
    ("lraspp", "mobilenetv3_large"),
]
# Rows and columns of cells in a frame, and pixels a cell, by the stride of the finest features that the head reads.
FINE, COARSE, PATCHES, FEW_PATCHES = ((8, 12), 8), ((4, 6), 32), ((3, 5), 28), ((2, 3), 28)


def draw_frames(grid, cell, labels):
    """Return eight images and label images of `grid` (rows, columns) cells of `cell` pixels."""
    images, targets = [], []
    for index in range(8):
        image, mask, _ = draw_frame(5, index, size=(64, 96))
        coarse = resize_image(image, grid), resize_labels(labels.encode(mask), grid)
        enlarged = [np.kron(a, np.ones((cell, cell, 1)[: a.ndim], a.dtype)) for a in coarse]
        images.append(enlarged[0])
        targets.append(enlarged[1])
    return np.stack(images), np.stack(targets)


def learn_by_heart(model, backbone, steps=300, chunk=20, **options):
    """Return the mean IoU on the eight frames, and after how many steps, once it is beyond the target or time is up.

    Of the largest vision transformer, whose training takes more memory than a small machine has, the last four blocks
    are trained.
    """
    labels = load_labels("falcon")
    transformer = backbone.startswith("dinov2")
    # As published, residual branches start at 1e-5 of their scale, which fine-tuning wants and a few steps do not.
    options |= {"layer_scale": 1.0} if transformer else {}
    segmenter = build_segmenter(model, backbone, labels, open_blocks=4 if "vitg14" in backbone else "all", **options)
    for layer in segmenter.network._flatten_layers():
        if isinstance(layer, BatchNormalization):
            layer.momentum = 0.9  # MobileNetV3's 0.99 would need hundreds of steps to know the statistics
    if transformer:
        grid, cell = PATCHES if "vits14" in backbone else FEW_PATCHES
    else:
        grid, cell = COARSE if model in ("deeplabv3", "lraspp") else FINE
    images, targets = draw_frames(grid, cell, labels)
    rate = 2e-4 if "vitl14" in backbone or "vitg14" in backbone else 5e-4 if transformer else 1e-3
    segmenter.compile(keras.optimizers.AdamW(rate, clipnorm=1.0), CrossEntropy())
    for done in range(chunk, steps + 1, chunk):
        segmenter.fit(images, targets, batch_size=8, epochs=chunk, shuffle=False, verbose=0)
        predictions = segmenter.predict(images, batch_size=8, verbose=0).argmax(-1)
        miou = Scores(count_confusion_numpy(targets, predictions, labels.num_classes)).miou
        if miou > TARGET:
            return miou, done
    return miou, steps


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="once is enough: both backends' gradients are held elsewhere"
)
@pytest.mark.parametrize(("model", "backbone", "options"), SMALL, ids=lambda v: v if isinstance(v, str) else "")
def test_small_networks(model, backbone, options):
    assert learn_by_heart(model, backbone, **options)[0] > TARGET


@pytest.mark.slow
@pytest.mark.parametrize(("model", "backbone"), ALL, ids="-".join)
def test_all_networks(model, backbone):
    miou, steps = learn_by_heart(model, backbone)
    print(f"{model} on {backbone}: {miou:.3f} after {steps} steps")
    assert miou > TARGET
