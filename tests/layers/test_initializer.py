import keras
import numpy as np

from desertseg.layers import Normal


def test_he_scale_by_fan_out():
    values = np.asarray(Normal(seed=1)((3, 3, 64, 128)))
    np.testing.assert_allclose(values.std(), np.sqrt(2 / (9 * 128)), rtol=0.02)
    assert abs(values.mean()) < 1e-3


def test_keras_seed_fixes_it_on_every_backend():
    draws = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        draws.append(np.asarray(Normal(1.0)((4,))))
    np.testing.assert_array_equal(*draws)
    # The same numbers on JAX and TensorFlow: this line runs on both.
    np.testing.assert_allclose(np.asarray(Normal(1.0, seed=0)((2,))), [1.117622, -1.387125], atol=1e-6)


def test_config_round_trip():
    normal = Normal(0.5, seed=9)
    np.testing.assert_array_equal(normal((3,)), Normal.from_config(normal.get_config())((3,)))
