"""The camera: on level ground its rows and depths are those of a pinhole over a plane."""

import numpy as np
import pytest

from desertseg.data.synthetic.terrain import FOCAL_Y, Camera, World, look, measure_depth

EYE, SKYLINE, SIZE = 1.5, 0.4, (120, 160)


@pytest.fixture
def plane() -> World:
    return World(np.zeros((64, 64), np.float32), np.zeros((64, 64, 4), np.uint8), np.zeros((8, 8), np.uint8))


def test_depth_of_a_plane(plane):
    view = look(plane, Camera(3.0, 300.0, 0.4, EYE, SKYLINE, 0.0))
    top, depth = measure_depth(view, SIZE)
    rows = (np.arange(top.min(), SIZE[0]) + 0.5) / SIZE[0]
    expected = FOCAL_Y * EYE / (rows - SKYLINE)
    near = expected < 150  # land ends at 300 metres
    assert near.sum() > 40
    # Depth steps grow by 2.5 %, between which 1 / depth is interpolated, and it is linear in the row.
    np.testing.assert_allclose(depth[near], expected[near, None] * np.ones(SIZE[1]), rtol=2e-3)


def test_skyline_of_a_plane_tilts_with_the_camera(plane):
    view = look(plane, Camera(0.0, 0.0, 0.0, EYE, SKYLINE, 0.2))
    top, _ = measure_depth(view, SIZE)
    slope = np.polyfit((np.arange(SIZE[1]) + 0.5) / SIZE[1], top / SIZE[0], 1)[0]
    assert slope == pytest.approx(0.2, abs=0.01)


def test_a_wall_hides_what_stands_behind_it(plane):
    height = plane.height.copy()
    height[4, :] = 30.0  # a ridge 20 metres ahead (64 pixels are 320 metres)
    view = look(World(height, plane.fields, plane.grain), Camera(160.0, 0.0, 0.0, EYE, SKYLINE, 0.0))
    before, behind = view.hidden_below(np.array([0.5, 0.5]), np.array([12.0, 40.0]))
    assert before > SKYLINE > behind
