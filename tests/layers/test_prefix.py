import keras
import numpy as np

from desertseg.layers import DropTokens, PrependTokens


def test_tokens_come_first_and_go():
    inputs = keras.Input((None, 3))
    layer = PrependTokens(2, stddev=1.0)
    whole = layer(inputs)
    model = keras.Model(inputs, [whole, DropTokens(2)(whole)])
    assert [o.shape for o in model.outputs] == [(None, None, 3)] * 2
    for count in (4, 7):
        values = np.random.default_rng(0).normal(size=(2, count, 3)).astype("float32")
        whole, rest = model.predict(values, verbose=0)
        np.testing.assert_array_equal(whole[:, :2], np.broadcast_to(layer.tokens, (2, 2, 3)))
        np.testing.assert_array_equal(rest, values)
        assert whole.shape == layer.compute_output_shape(values.shape)
