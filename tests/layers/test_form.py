import keras
import numpy as np

from desertseg.layers import plain_forms
from desertseg.layers.form import uses_fast_form
from desertseg.models import build_segmenter


def test_plain_forms_hold_inside_alone():
    fast = keras.backend.backend() == "jax"
    with plain_forms():
        assert not uses_fast_form()
    assert uses_fast_form() == fast


def test_a_network_computes_the_same_in_both_forms():
    keras.utils.set_random_seed(0)
    options = {"width": 8, "blocks": (1, 1, 1, 1), "aspp_channels": 16, "decoder_channels": 16, "zero_init": False}
    model = build_segmenter(**options)
    images = np.random.default_rng(0).integers(0, 256, (1, 37, 50, 3), dtype=np.uint8)
    fast = model.predict(images, verbose=0)
    model.predict_function = None  # else the compiled fast form would answer again
    with plain_forms():
        plain = model.predict(images, verbose=0)
    np.testing.assert_allclose(fast, plain, rtol=0, atol=1e-5)
