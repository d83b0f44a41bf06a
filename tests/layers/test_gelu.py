import math

import keras
import numpy as np
import pytest
from keras import ops

from desertseg.layers import GELU


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 0.02)])
def test_equals_the_definition(dtype, tolerance):
    values = np.concatenate([np.linspace(-6, 6, 61), [-40.0, 0.0, 40.0]]).astype("float32")
    expected = [x * 0.5 * math.erfc(-float(x) / math.sqrt(2)) for x in values]
    outputs = GELU(dtype=dtype)(values)
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype
    np.testing.assert_allclose(ops.cast(outputs, "float32"), expected, rtol=tolerance, atol=max(tolerance, 2e-6))


def test_gradient_equals_plain_keras(assert_same):
    values = np.random.default_rng(0).normal(0, 2, (4, 5)).astype("float32")
    assert_same(GELU(), keras.layers.Activation("gelu"), values)
