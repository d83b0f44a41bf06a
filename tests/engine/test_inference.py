from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from desertseg.data import fit_box
from desertseg.engine.inference import ANSWERS, Inference, Views, suppression_bias
from desertseg.errors import UserError
from desertseg.labels import load_labels
from desertseg.losses import CrossEntropy
from desertseg.metrics import count_confusion_numpy
from desertseg.models import Segmenter
from desertseg.models.familiarity import Familiarity, principal_components


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(10, 3, padding="same")(inputs))
    return Segmenter(network, load_labels("falcon"), (24, 40))


def interpolate(logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear with half-pixel centres in float64, axis by axis: a reference that shares no code with Keras."""
    for axis, target in ((1, size[0]), (2, size[1])):
        source = logits.shape[axis]
        position = ((np.arange(target) + 0.5) * source / target - 0.5).clip(0, source - 1)
        low = np.floor(position).astype(int).clip(max=max(source - 2, 0))
        weight = (position - low).reshape([-1 if a == axis else 1 for a in range(4)])
        logits = logits.take(low, axis) * (1 - weight) + logits.take((low + 1).clip(max=source - 1), axis) * weight
    return logits


@pytest.mark.parametrize("native_size", [(54, 96), (24, 40), (45, 61)])
def test_the_class_is_chosen_at_native_resolution(segmenter: Segmenter, native_size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (2, 24, 40, 3), np.uint8)
    truth = random.integers(0, 10, (2, *native_size), np.uint8)
    truth[0, :5] = 255
    box = fit_box(native_size, (24, 40))
    logits = segmenter.predict(images, verbose=0).astype(np.float64)
    logits = interpolate(logits[:, box.top : box.top + box.height, box.left : box.left + box.width], native_size)
    inference = Inference(segmenter, CrossEntropy())
    labels = np.asarray(inference.labels(images, box, native_size))
    counts, loss = inference.counts(images, truth, box)
    assert labels.dtype == np.uint8
    assert labels.shape == (2, *native_size)
    best = np.sort(logits, -1)
    clear = best[..., -1] - best[..., -2] > 1e-4  # float32 may turn a pixel whose two best classes are level
    np.testing.assert_array_equal(labels[clear], logits.argmax(-1)[clear])
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(np.asarray(counts), count_confusion_numpy(truth, labels, 10))
    valid = truth != 255
    log_p = (
        logits
        - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
        - logits.max(-1, keepdims=True)
    )
    expected = -np.take_along_axis(log_p, np.where(valid, truth, 0)[..., None].astype(int), -1)[..., 0][valid].mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_views_are_averaged_as_probabilities(segmenter: Segmenter) -> None:
    """Twice as large and mirrored, against NumPy on what `predict` says of each view."""
    random = np.random.default_rng(2)
    images = random.integers(0, 256, (1, 24, 40, 3), np.uint8)
    box = fit_box((27, 48), (24, 40))
    total = np.zeros((1, 27, 48, 10))
    for scale in (1, 2):
        seen = interpolate(images.astype(np.float64), (24 * scale, 40 * scale)).astype(np.float32)
        for step in (1, -1):
            logits = segmenter.predict(seen[:, :, ::step], verbose=0)[:, :, ::step]
            logits = interpolate(logits, (24, 40))[:, box.top : box.top + box.height]
            logits = interpolate(logits, (27, 48))
            shifted = np.exp(logits - logits.max(-1, keepdims=True))
            total += shifted / shifted.sum(-1, keepdims=True)
    best = np.sort(total, -1)
    clear = best[..., -1] - best[..., -2] > 1e-4
    inference = Inference(segmenter, views=Views((1.0, 2.0), flip=True))
    labels = np.asarray(inference.labels(images, box, (27, 48)))
    np.testing.assert_array_equal(labels[clear], total.argmax(-1)[clear])
    assert clear.mean() > 0.99
    assert Views((1.0, 2.0), flip=True).count == 4


def test_every_answer_is_that_of_one_softmax(segmenter: Segmenter) -> None:
    """All that `answer` gives, against SciPy on the logits in float64; twice the training size and a bias."""
    random = np.random.default_rng(2)
    images = random.integers(0, 256, (2, 24, 40, 3), np.uint8)
    box, native = fit_box((48, 80), (24, 40)), (48, 80)
    bias = random.normal(size=10).astype(np.float32)
    others = random.normal(size=(3, 10)).astype(np.float32)
    segmenter.familiarity = Familiarity(
        distances=np.ones(2, np.float32), **principal_components(random.normal(size=(20, 10)))
    )
    found = Inference(segmenter).answer(images, box, native, ANSWERS, bias=bias, alternatives=others, stride=5)
    found = {name: np.asarray(value) for name, value in found.items()}
    plain = interpolate(segmenter.predict(images, verbose=0).astype(np.float64), native)
    logits = plain + bias
    expected = softmax(logits, -1)
    features = segmenter.predict(images, verbose=0)[:, box.top : box.top + box.height].mean((1, 2))  # no backbone
    np.testing.assert_allclose(found["distance"], segmenter.familiarity.distance(features), rtol=1e-4)
    assert found["finite"].all()
    np.testing.assert_allclose(found["confidence"], expected.max(-1), atol=1e-5)
    np.testing.assert_allclose(found["entropy"], entropy(expected, axis=-1) / np.log(10), atol=1e-5)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-3)  # float16 has 11 bits
    np.testing.assert_allclose(found["sample"], logits[:, ::5, ::5], atol=1e-4)
    for labels, values in (
        (found["labels"], logits),
        *zip(found["alternatives"], plain + others[:, None, None, None], strict=True),
    ):
        best = np.sort(values, -1)
        clear = best[..., -1] - best[..., -2] > 1e-4
        np.testing.assert_array_equal(labels[clear], values.argmax(-1)[clear])
        assert clear.mean() > 0.99
    assert found["labels"].dtype == found["alternatives"].dtype == np.uint8
    assert found["probabilities"].dtype == np.float16


def test_a_suppressed_class_is_never_predicted(segmenter: Segmenter) -> None:
    images = np.random.default_rng(3).integers(0, 256, (1, 24, 40, 3), np.uint8)
    box, inference = fit_box((24, 40), (24, 40)), Inference(segmenter)
    seen = np.unique(np.asarray(inference.labels(images, box, (24, 40))))
    gone = [segmenter.labels.names[i] for i in seen[:2]]
    bias = suppression_bias(segmenter.labels, gone)
    found = inference.answer(images, box, (24, 40), ("labels", "probabilities", "entropy"), bias=bias)
    assert not set(seen[:2]) & set(np.unique(found["labels"]))
    assert not np.asarray(found["probabilities"])[..., seen[:2]].any()
    assert np.isfinite(np.asarray(found["entropy"])).all()
    with pytest.raises(UserError, match=r"no class 'Log' to suppress \(did you mean 'Logs'\?\)"):
        suppression_bias(segmenter.labels, ["Log"])
    with pytest.raises(UserError, match="leave at least one"):
        suppression_bias(segmenter.labels, segmenter.labels.names)


def test_wrong_wishes_are_refused(segmenter: Segmenter) -> None:
    images = np.zeros((1, 24, 40, 3), np.uint8)
    for want in (("label",), ("alternatives",)):
        with pytest.raises(ValueError, match="is not a choice of"):
            Inference(segmenter).answer(images, fit_box((24, 40), (24, 40)), (24, 40), want)
