from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from desertseg.data import EvaluationBatch, Frame, fit_box
from desertseg.engine.priors import SAMPLED_PIXELS, estimate_shift, sample_stride
from desertseg.errors import UserError
from desertseg.labels import LabelClass, LabelMap

MAP = LabelMap("abc", tuple(LabelClass(n, (i + 1,), (i, i, i)) for i, n in enumerate("abc")))
SOURCE = np.array([0.6, 0.3, 0.1])


class Oracle:
    """In place of a network: its logits are Bayes' answer to a noisy look at pixels drawn with given class shares."""

    def __init__(self, shares: np.ndarray, familiarity=None) -> None:
        self.shares, self.random = shares, np.random.default_rng(0)
        self.segmenter = SimpleNamespace(labels=MAP, familiarity=familiarity)

    def answer(self, images, box, native_size, want, *, stride, count):
        assert want == ("sample",)
        labels = self.random.choice(3, size=(count, 40, 40), p=self.shares)
        looks = np.eye(3)[labels] + self.random.normal(scale=0.5, size=(*labels.shape, 3))
        # log p(look | class) is looks / 0.25 but for a constant; the model knows the training's shares
        return {"sample": (looks / 0.25 + np.log(SOURCE)).astype(np.float32)}


def batches(count: int):
    frame = Frame(None, None, "f")  # type: ignore[arg-type]
    for _ in range(count):
        image = np.zeros((2, 8, 8, 3), np.uint8)
        yield EvaluationBatch((frame, frame), image, None, (40, 40), fit_box((40, 40), (8, 8)), 2)


@pytest.mark.parametrize("shares", [(0.1, 0.2, 0.7), (0.6, 0.3, 0.1), (0.5, 0.5, 0.0)])
def test_shifted_class_shares_are_found(shares: tuple[float, ...]) -> None:
    familiarity = SimpleNamespace(class_shares=SOURCE, temperature=None)
    found = estimate_shift(Oracle(np.array(shares), familiarity), batches(5), 10, strength=0)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.target, shares, atol=0.02)
    expected = np.log(np.maximum(shares, 1e-3) / SOURCE)
    seen = np.array(shares) > 0
    np.testing.assert_allclose(found.bias[seen] - found.bias[0], (expected - expected[0])[seen], atol=0.15)
    assert seen.all() or found.bias[~seen].max() < -2
    assert "->" in found.describe(MAP)
    pulled = estimate_shift(Oracle(np.array(shares), familiarity), batches(5), 10)  # type: ignore[arg-type]
    both = np.sort([shares, SOURCE], axis=0)
    assert (both[0] - 0.02 <= pulled.target).all()
    assert (pulled.target <= both[1] + 0.02).all()


def test_a_model_without_its_shares_is_refused() -> None:
    with pytest.raises(UserError, match=r"does not know the class shares .* name absent classes with --suppress"):
        estimate_shift(Oracle(SOURCE), batches(1), 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(("frames", "size"), [(1, (20, 30)), (24, (540, 960)), (1002, (540, 960))])
def test_the_sample_is_bounded(frames: int, size: tuple[int, int]) -> None:
    stride = sample_stride(frames, size)
    assert frames * size[0] * size[1] / stride**2 <= SAMPLED_PIXELS
    assert stride == 1 or frames * size[0] * size[1] / (stride - 1) ** 2 > SAMPLED_PIXELS
