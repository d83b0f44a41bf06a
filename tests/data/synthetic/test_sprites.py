"""Sprites have hard edges: every pixel is wholly the object or wholly what was there, in colour and in class."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.data.synthetic.sprites import Sprite, make_sprite, stamp


def draw_disc() -> Sprite:
    rows, columns = np.mgrid[:64, :64]
    drawing = np.zeros((64, 64, 4), np.uint8)
    drawing[(rows - 32) ** 2 + (columns - 32) ** 2 < 900] = (200, 10, 10, 255)
    return make_sprite(drawing, 7)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    left=st.floats(-60, 60), top=st.floats(-60, 60), width=st.floats(0.2, 90), height=st.floats(0.2, 90),
    limit=st.integers(0, 50), haze=st.floats(0, 1),
)  # fmt: skip
def test_a_stamp_is_all_or_nothing(left, top, width, height, limit, haze):
    canvas = np.full((48, 56, 4), (0, 0, 250, 3), np.uint8)
    limits = np.full(56, limit)
    stamp(canvas, draw_disc(), (left, top, width, height), limits, (100.0, 100.0, 100.0), haze)
    hit = canvas[..., 3] == 7
    assert set(np.unique(canvas[..., 3]).tolist()) <= {3, 7}
    assert (canvas[~hit][:, :3] == (0, 0, 250)).all()
    expected = np.array([200, 10, 10]) * (1 - haze) + 100 * haze * np.ones(3)
    if haze > 0.02:
        np.testing.assert_allclose(canvas[hit][:, :3], np.tile(expected, (hit.sum(), 1)), atol=2)
    assert not hit[limit:].any()


def test_levels_keep_the_share_that_is_covered():
    rng = np.random.default_rng(0)
    drawing = np.zeros((128, 128, 4), np.uint8)
    drawing[rng.random((128, 128)) < 0.2] = 255
    sprite = make_sprite(drawing, 1)
    shares = [(alpha > 0).mean() for _, alpha in sprite.levels if min(alpha.shape) >= 16]
    assert len(shares) == 4
    # A fixed threshold of one half would leave 0.00 here: thin things would vanish with distance.
    np.testing.assert_allclose(shares, 0.2, atol=0.12)


def test_a_disc_covers_its_area():
    canvas = np.zeros((100, 100, 4), np.uint8)
    stamp(canvas, draw_disc(), (10, 20, 60, 40), np.full(100, 100), (0.0, 0.0, 0.0), 0.0)
    assert abs((canvas[..., 3] == 7).sum() / (np.pi * 30 * 20) - 1) < 0.05
