import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="the form is JAX's")


@pytest.mark.parametrize(("size", "dilation"), [((4, 6), 1), ((5, 7), 1), ((1, 1), 1), ((7, 4), 2), ((5, 5), 4)])
def test_equals_a_float64_sum_over_the_kernel(size, dilation):
    from desertseg.layers.winograd import convolve_winograd

    generator = np.random.default_rng(0)
    inputs, kernel = generator.normal(size=(2, *size, 3)), generator.normal(size=(3, 3, 3, 4))
    padded = np.pad(inputs, ((0, 0), (dilation, dilation), (dilation, dilation), (0, 0)))
    expected = sum(
        padded[:, y * dilation : y * dilation + size[0], x * dilation : x * dilation + size[1]] @ kernel[y, x]
        for y in range(3)
        for x in range(3)
    )
    found = convolve_winograd(inputs.astype("float32"), kernel.astype("float32"), dilation)
    # The transforms add and subtract up to 16 float32 values before they are multiplied.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_gradients_equal_those_of_the_plain_form():
    import jax

    from desertseg.layers.convolution import _convolve_undivided
    from desertseg.layers.winograd import winograd_function

    generator = np.random.default_rng(0)
    inputs, kernel, cotangent = (
        generator.normal(size=s).astype("float32") for s in ((2, 5, 7, 3), (3, 3, 3, 4), (2, 5, 7, 4))
    )
    for dilation in (1, 2):
        gradients = [
            jax.vjp(lambda x, k, f=f, d=dilation: f(x, k, d), inputs, kernel)[1](cotangent)
            for f in (winograd_function(_convolve_undivided), _convolve_undivided)
        ]
        for ours, theirs in zip(*gradients, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-5)


def test_only_wide_undivided_float32_kernels_suit():
    from desertseg.layers.winograd import suits_winograd

    wide = np.zeros((3, 3, 256, 256), "float32")
    assert suits_winograd(wide, (1, 1), (2, 2))
    assert not suits_winograd(wide, (2, 2), (1, 1))
    assert not suits_winograd(wide[:, :, :128], (1, 1), (1, 1))
    assert not suits_winograd(wide.astype("float16"), (1, 1), (1, 1))
    assert not suits_winograd(np.zeros((5, 5, 256, 256), "float32"), (1, 1), (1, 1))
