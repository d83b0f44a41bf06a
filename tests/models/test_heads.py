import keras
import numpy as np

from desertseg.models.heads import classify, fcn_head


def test_classify_scores_before_it_upsamples():
    features, reference = keras.Input((3, 5, 4), dtype="bfloat16"), keras.Input((12, 20, 3))
    model = keras.Model([features, reference], classify(features, reference, 2))
    assert model.get_layer("classifier").output.shape == (None, 3, 5, 2)
    assert model.output_shape == (None, 12, 20, 2)
    assert model.output.dtype == "float32"


def test_fcn_head_quarters_the_channels():
    features, reference = keras.Input((3, 5, 8)), keras.Input((6, 10, 3))
    model = keras.Model([features, reference], fcn_head(features, reference, 2))
    assert model.get_layer("auxiliary_conv").filters == 2
    inputs = [np.ones((1, 3, 5, 8), "float32"), np.ones((1, 6, 10, 3), "float32")]
    assert model.predict(inputs, verbose=0).shape == (1, 6, 10, 2)
