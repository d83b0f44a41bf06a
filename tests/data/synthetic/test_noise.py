"""Noise: periodic, normalised, and the same for the same keys."""

import numpy as np

from desertseg.data.synthetic.noise import draw_noise, make_rng, rank_uniform


def test_keys_alone_decide():
    first = make_rng(3, "sky").random(4)
    np.testing.assert_array_equal(first, make_rng(3, "sky").random(4))
    assert not np.array_equal(first, make_rng(3, "land").random(4))
    assert not np.array_equal(first, make_rng(4, "sky").random(4))


def test_noise_is_normalised_and_wraps_without_a_seam():
    noise = draw_noise(make_rng(0, "noise"), (128, 256), (2, 4), octaves=4)
    assert noise.shape == (128, 256)
    assert abs(noise.mean()) < 1e-4
    assert abs(noise.std() - 1) < 1e-3
    inner = np.abs(np.diff(noise, axis=1)).max()
    assert np.abs(noise[:, 0] - noise[:, -1]).max() <= inner
    assert np.abs(noise[0] - noise[-1]).max() <= np.abs(np.diff(noise, axis=0)).max()


def test_ranks_make_thresholds_shares():
    ranks = rank_uniform(make_rng(1, "ranks").gamma(0.5, size=(400, 400)))
    for share in (0.1, 0.5, 0.9):
        assert abs((ranks > 255 * (1 - share)).mean() - share) < 0.02
