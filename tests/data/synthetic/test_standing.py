"""Objects stand where they are in the world, far ones first, and darken the ground beside them."""

import numpy as np

from desertseg.data.synthetic.scene import make_scene
from desertseg.data.synthetic.standing import cast_shadows, find_objects
from desertseg.data.synthetic.terrain import FOCAL_X, FOCAL_Y, TILE, Camera, look

CAMERA = Camera(x=40.0, z=250.0, yaw=0.3, eye=1.5, skyline=0.45, roll=0.0)


def test_objects_come_far_to_near_and_inside_the_frame():
    found = find_objects(make_scene(0, "desert", 1), look(make_scene(0, "desert", 1).world, CAMERA))
    depths = [thing.depth for thing in found]
    assert len(found) > 100
    assert depths == sorted(depths, reverse=True)
    assert all(-1 < thing.x < 2 and thing.tall > 0 for thing in found)
    assert {thing.kind for thing in found} >= {"grass", "lush", "tree", "rock"}


def test_a_tree_is_seen_where_a_pinhole_sees_it():
    scene = make_scene(0, "desert", 1)
    trees = [thing for thing in find_objects(scene, look(scene.world, CAMERA)) if thing.kind == "tree"]
    expected = []
    for x, z, height, _ in scene.crowds["tree"].places.astype(float):
        for lap_x in (-TILE, 0, TILE):
            for lap_z in (-TILE, 0, TILE):
                offset = complex(x + lap_x - CAMERA.x, z + lap_z - CAMERA.z) * np.exp(1j * CAMERA.yaw)
                expected.append(
                    (offset.imag, 0.5 + FOCAL_X * offset.real / offset.imag, FOCAL_Y * height / offset.imag)
                )
    for tree in trees:
        gap = np.abs(np.array(expected) - (tree.depth, tree.x, tree.tall)).max(1).min()
        assert gap < 2e-3, "float32 places"


def test_shadows_only_darken_and_end_with_the_objects():
    scene = make_scene(0, "desert", 1)
    found = find_objects(scene, look(scene.world, CAMERA))
    shadow = cast_shadows(found, scene.style.sun, CAMERA.eye, (108, 192))
    assert shadow.shape == (108, 192)
    assert shadow.min() < 140
    assert (cast_shadows([], scene.style.sun, CAMERA.eye, (108, 192)) == 255).all()
