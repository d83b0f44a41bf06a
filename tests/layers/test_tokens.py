import keras
import numpy as np

from desertseg.layers.tokens import ToGrid, ToTokens


def test_tokens_are_the_grid_row_by_row_and_back():
    grid = keras.Input((None, None, 3))
    tokens = ToTokens()(grid)
    model = keras.Model(grid, [tokens, ToGrid()(tokens, grid)])
    assert model.output_shape == [(None, None, 3), (None, None, None, 3)]
    for height, width in ((2, 5), (4, 3)):
        values = np.random.default_rng(0).normal(size=(2, height, width, 3)).astype("float32")
        sequence, back = model.predict(values, verbose=0)
        np.testing.assert_array_equal(sequence[:, width + 1], values[:, 1, 1])
        np.testing.assert_array_equal(back, values)
        assert sequence.shape == ToTokens().compute_output_shape(values.shape)
