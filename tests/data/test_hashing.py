from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from desertseg.data.hashing import NEAR, find_near, find_nearest, hash_image


def draw_scene(seed: int, size: tuple[int, int] = (270, 480)) -> np.ndarray:
    """A smooth random picture, uint8 RGB."""
    coarse = np.random.default_rng(seed).random((7, 9, 3)).astype(np.float32)
    return (255 * cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)).astype(np.uint8)


def bits(a: np.uint64, b: np.uint64) -> int:
    return (int(a) ^ int(b)).bit_count()


def test_a_hash_is_which_neighbour_is_brighter() -> None:
    tiny = np.random.default_rng(0).integers(0, 256, (8, 9), np.uint8)
    found = hash_image(np.kron(tiny, np.ones((16, 16), np.uint8)))
    expected = int("".join("1" if b > a else "0" for row in tiny.tolist() for a, b in itertools.pairwise(row)), 2)
    assert int(found) == expected
    assert found.dtype == np.uint64
    assert hash_image(np.full((5, 3, 3), 90, np.uint8)) == 0


def test_what_changes_a_frame_a_little_changes_its_hash_a_little() -> None:
    for seed in range(5):
        image = draw_scene(seed)
        own = hash_image(image)
        again = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_COLOR)
        smaller = cv2.resize(image, (240, 135), interpolation=cv2.INTER_AREA)
        brighter = np.clip(image * 1.1 + 5, 0, 255).astype(np.uint8)
        for other in (again, smaller, brighter, image[4:-4, 6:-6]):
            assert bits(own, hash_image(other)) <= NEAR
        assert all(bits(own, hash_image(draw_scene(other))) > NEAR for other in range(100, 120))


@pytest.mark.parametrize("most", [5, 10_000])
def test_near_pairs_are_those_of_a_plain_loop(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desertseg.data.hashing._BLOCK", 7)
    random = np.random.default_rng(1)
    base = random.integers(0, 2**63, 9, np.uint64)
    flips = np.array([sum(1 << b for b in {*random.integers(0, 64, 5).tolist()}) for _ in range(30)], np.uint64)
    hashes = base[random.integers(0, 9, 30)] ^ flips
    others = base ^ flips[:9]
    among = sorted((bits(hashes[i], hashes[j]), i, j) for i, j in itertools.combinations(range(30), 2))
    among = [row for row in among if row[0] <= NEAR]
    found = find_near(hashes, most=most)
    assert found.count == len(among) > 5
    assert [(int(d), *map(int, p)) for d, p in zip(found.distances, found.pairs, strict=True)] == among[:most]
    across = sorted((bits(a, b), i, j) for i, a in enumerate(hashes) for j, b in enumerate(others))
    across = [row for row in across if row[0] <= 12]
    found = find_near(hashes, others, limit=12, most=most)
    assert found.count == len(across) > 5
    assert [(int(d), *map(int, p)) for d, p in zip(found.distances, found.pairs, strict=True)] == across[:most]
    places, nearest = find_nearest(hashes, others)
    for h, place, distance in zip(hashes, places, nearest, strict=True):
        assert distance == bits(h, others[place]) == min(bits(h, other) for other in others)


def test_nothing_is_near_nothing() -> None:
    none = np.zeros(0, np.uint64)
    assert find_near(none).count == 0
    assert find_near(none, np.zeros(3, np.uint64)).pairs.shape == (0, 2)
