"""Layers against PyTorch's where Keras has no equal."""

import numpy as np
import pytest

from desertseg.layers import BatchNormalization, MaxPooling, resize_bilinear

pytestmark = pytest.mark.parity


def test_batch_normalisation_in_training_moves_as_pytorchs():
    import torch

    ours, theirs = BatchNormalization(), torch.nn.BatchNorm2d(4).train()
    for seed in range(3):
        images = np.random.default_rng(seed).normal(2.0, 3.0, (2, 5, 3, 4)).astype("float32")
        found = np.asarray(ours(images, training=True))
        with torch.no_grad():
            expected = theirs(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.moving_mean, theirs.running_mean, rtol=1e-5)
    np.testing.assert_allclose(ours.moving_variance, theirs.running_var, rtol=1e-5)


@pytest.mark.parametrize("size", [(7, 9), (8, 6)])
def test_max_pooling(size, run_torch):
    import torch

    images = np.random.default_rng(0).normal(size=(1, *size, 3)).astype("float32")
    np.testing.assert_array_equal(MaxPooling()(images), run_torch(torch.nn.MaxPool2d(3, 2, 1), images))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(20, 12), (13, 7), (3, 2)])
def test_resize(size, align_corners, run_torch):
    import torch

    images = np.random.default_rng(0).normal(size=(2, 5, 3, 4)).astype("float32")
    reference = torch.nn.Upsample(size, mode="bilinear", align_corners=align_corners)
    found = np.asarray(resize_bilinear(images, size, align_corners))
    np.testing.assert_allclose(found, run_torch(reference, images), rtol=0, atol=1e-5)
