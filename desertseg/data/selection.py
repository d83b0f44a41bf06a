"""Choose a few frames to look at: of a class those that show it best, of a scene some from its beginning to its end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from desertseg.data.folders import Frame

_APART = 4  # frames that are shown lie at least a fourth of an even spacing apart, as long as there are enough


def choose_rich(shares: np.ndarray, count: int) -> list[int]:
    """Return the places of the frames that hold the most of a class, the richest first, and not all from one place.

    Args:
        shares: float (N,), the class's share of each frame, frames in the order of their names.
        count: how many are wanted at most.
    """
    order = [int(i) for i in np.argsort(-shares, kind="stable") if shares[i] > 0]
    distance = len(order) // (_APART * count)
    chosen: list[int] = []
    while distance >= 0 and len(chosen) < min(count, len(order)):
        for i in order:
            if len(chosen) < count and all(i != k and abs(i - k) > distance for k in chosen):
                chosen.append(i)
        distance = distance // 2 if distance else -1
    return sorted(chosen, key=lambda i: (-shares[i], i))


def choose_spread(frames: Sequence[Frame], count: int) -> dict[str, list[int]]:
    """Return for each scene the places of up to `count` frames, evenly spread from its first to its last."""
    scenes: dict[str, list[int]] = {}
    for place, frame in enumerate(frames):
        scenes.setdefault(frame.scene, []).append(place)
    return {
        scene: [
            places[i] for i in np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int))
        ]
        for scene, places in scenes.items()
    }
