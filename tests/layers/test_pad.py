import keras
import numpy as np

from desertseg.layers import CropLike, PadToMultiple


def test_pads_at_the_bottom_and_right_and_crops_back():
    images = keras.Input((None, None, 3))
    padded = PadToMultiple(14)(images)
    model = keras.Model(images, [padded, CropLike()(padded, images)])
    assert model.output_shape == [(None, None, None, 3)] * 2
    for height, width in ((1, 14), (14, 15), (28, 28), (30, 5)):
        values = np.random.default_rng(0).normal(size=(2, height, width, 3)).astype("float32")
        larger, cropped = model.predict(values, verbose=0)
        assert larger.shape == (2, -(-height // 14) * 14, -(-width // 14) * 14, 3)
        assert larger.shape == PadToMultiple(14).compute_output_shape(values.shape)
        np.testing.assert_array_equal(larger[:, :height, :width], values)
        assert np.count_nonzero(larger) == np.count_nonzero(values)
        np.testing.assert_array_equal(cropped, values)
