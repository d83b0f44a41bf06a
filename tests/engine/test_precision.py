from __future__ import annotations

import numpy as np
import pytest

from desertseg.engine.compiled import compile_function
from desertseg.engine.precision import compute_in, computed_in
from desertseg.errors import UserError
from desertseg.models import Segmenter, build_segmenter
from desertseg.models.resnet import ResNet


def answer(segmenter: Segmenter, images: np.ndarray) -> np.ndarray:
    return np.asarray(compile_function(lambda x: segmenter(x, training=False), segmenter)(images))


def test_another_precision_has_the_same_weights_and_float32_logits() -> None:
    backbone = ResNet((1, 1, 1, 1), width=8, zero_init=False, name="backbone")
    segmenter = build_segmenter("lraspp", backbone, size=(32, 48))
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 48, 3), np.uint8)
    other = compute_in(segmenter, "bfloat16")
    assert computed_in(segmenter) == "float32"
    assert computed_in(other) == other.network.backbone.dtype_policy.compute_dtype == "bfloat16"
    for theirs, ours in zip(other.variables, segmenter.variables, strict=True):
        assert theirs.path == ours.path
        np.testing.assert_array_equal(theirs, ours)
    logits, rounded = (answer(model, images) for model in (segmenter, other))
    assert rounded.dtype == np.float32
    assert not np.array_equal(logits, rounded)
    assert np.abs(logits - rounded).mean() < 0.05 * np.abs(logits - logits.mean()).mean()  # of 8 bits a few are lost
    assert (other.size, other.labels) == (segmenter.size, segmenter.labels)
    assert compute_in(other, "float32").get_config() == segmenter.get_config()
    assert compute_in(segmenter, "float32") is segmenter
    with pytest.raises(UserError, match="dtype 'int8' is none to compute in"):
        compute_in(segmenter, "int8")
