import math

import numpy as np
import pytest
from keras import ops

from desertseg.layers import resize_bicubic


def kernel(x, a):
    """The cubic convolution kernel (Keys 1981) in plain Python."""
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def resize(samples, new, offset=0.0, antialias=False):
    """Resize one axis in float64, sample by sample; tests/parity holds it against PyTorch too."""
    old = len(samples)
    scale, result = old / (new + offset), []
    for index in range(new):
        centre = (index + 0.5) * scale - 0.5
        if antialias:
            weights = [kernel((j - centre) / max(scale, 1), -0.5) for j in range(old)]
            result.append(np.tensordot(weights, samples, 1) / sum(weights))
        else:
            taps = range(math.floor(centre) - 1, math.floor(centre) + 3)
            result.append(sum(kernel(j - centre, -0.75) * samples[min(max(j, 0), old - 1)] for j in taps))
    return np.array(result)


@pytest.mark.parametrize("size", [(9, 4), (1, 20)])
@pytest.mark.parametrize(("offset", "antialias"), [(0.0, False), (0.1, False), (0.0, True)])
def test_equals_the_definition(size, offset, antialias):
    picture = np.random.default_rng(0).normal(size=(7, 8, 2))
    rows = resize(picture, size[0], offset, antialias)
    expected = resize(rows.transpose(1, 0, 2), size[1], offset, antialias).transpose(1, 0, 2)
    found = resize_bicubic(ops.convert_to_tensor(picture, "float32"), size, offset=offset, antialias=antialias)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
