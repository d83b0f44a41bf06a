"""Our losses against PyTorch's own and those of segmentation_models.pytorch, value and gradient."""

import keras
import numpy as np
import pytest
import torch
from segmentation_models_pytorch.losses import LovaszLoss, TverskyLoss

from desertseg.losses import CrossEntropy, LovaszSoftmax, Tversky

pytestmark = pytest.mark.parity
WEIGHTS = [0.5, 2.0, 1.0, 3.0, 0.7]


def ours(loss, labels, logits):
    if keras.backend.backend() == "jax":
        import jax

        value, gradient = jax.value_and_grad(lambda x: loss(labels, x))(logits)
    else:
        import tensorflow as tf

        x = tf.constant(logits)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(labels, x)
        gradient = tape.gradient(value, x)
    return float(value), np.asarray(gradient)


def theirs(loss, labels, logits, dtype=torch.float64):
    x = torch.tensor(logits.transpose(0, 3, 1, 2), dtype=dtype, requires_grad=True)
    value = loss(x, torch.tensor(labels.astype(np.int64)))
    value.backward()
    return value.item(), x.grad.numpy().transpose(0, 2, 3, 1)


@pytest.fixture(params=[0, 1])
def batch(request):
    rng = np.random.default_rng(request.param)
    labels = np.where(rng.random((2, 9, 11)) < 0.2, 255, rng.integers(0, 5, (2, 9, 11))).astype(np.uint8)
    return labels, rng.normal(0, 2, (2, 9, 11, 5)).astype(np.float32)


def check(loss, reference, batch, dtype=torch.float64):
    value, gradient = ours(loss, *batch)
    expected, slope = theirs(reference, *batch, dtype)
    assert value == pytest.approx(expected, rel=2e-6)  # float32 sums of some hundred terms
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=2e-6 * np.abs(slope).max())


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_cross_entropy(smoothing, weights, batch):
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    reference = torch.nn.CrossEntropyLoss(tensor, ignore_index=255, label_smoothing=smoothing)
    check(CrossEntropy(label_smoothing=smoothing, class_weights=weights), reference, batch)


@pytest.mark.parametrize("absent", [None, 3])
def test_lovasz(absent, batch):
    # So few pixels that no two errors share one of our 4096 bins, whose pixels would share a gradient.
    labels, logits = batch[0][:, :3, :6], batch[1][:, :3, :6]
    labels = np.where(labels == absent, 1, labels)
    check(LovaszSoftmax(), LovaszLoss("multiclass", ignore_index=255), (labels, logits), torch.float32)


def test_lovasz_of_many_pixels():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (2, 60, 80)).astype(np.uint8)
    batch = labels, (rng.normal(0, 2, (2, 60, 80, 5)) + 2 * np.eye(5)[labels]).astype(np.float32)
    value, gradient = ours(LovaszSoftmax(), *batch)
    expected, slope = theirs(LovaszLoss("multiclass", ignore_index=255), *batch, torch.float32)
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-3 * np.abs(slope).max())  # pixels that share a bin


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.9, 0.2)])
def test_tversky(alpha, beta, batch):
    assert set(range(5)) <= set(np.unique(batch[0]))  # theirs counts an absent class as a cost of 0
    check(Tversky(alpha, beta), TverskyLoss("multiclass", ignore_index=255, alpha=alpha, beta=beta, eps=0.0), batch)
