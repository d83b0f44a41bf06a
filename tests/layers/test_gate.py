import numpy as np

from desertseg.layers import SplitChannels, SwiGLU


def test_parts_in_order():
    inputs = np.arange(12, dtype="float32").reshape(1, 2, 6)
    parts = SplitChannels(3)(inputs)
    np.testing.assert_array_equal(np.concatenate(parts, -1), inputs)
    assert [p.shape for p in parts] == SplitChannels(3).compute_output_shape(inputs.shape)


def test_gate_is_the_first_half():
    inputs = np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32")
    gate, values = inputs[..., :4].astype(float), inputs[..., 4:]
    np.testing.assert_allclose(SwiGLU()(inputs), gate / (1 + np.exp(-gate)) * values, rtol=0, atol=1e-6)
