from __future__ import annotations

from pathlib import Path

import numpy as np

from desertseg.data import Frame
from desertseg.data.selection import choose_rich, choose_spread


def test_the_richest_frames_that_do_not_lie_beside_each_other() -> None:
    shares = np.zeros(40)
    shares[10:20] = np.linspace(0.5, 0.6, 10)  # one place, richer and richer
    shares[30:40] = 0.1
    shares[0:10] = 0.01
    assert choose_rich(shares, 3) == [19, 16, 13]
    assert choose_rich(shares, 1) == [19]
    assert choose_rich(np.array([0.0, 0.2, 0.0, 0.3]), 3) == [3, 1]  # no more than there are
    assert choose_rich(np.zeros(4), 3) == []
    assert sorted(choose_rich(np.arange(1, 6) / 9, 5)) == [0, 1, 2, 3, 4]


def test_frames_of_a_scene_from_its_beginning_to_its_end() -> None:
    frames = [Frame(Path(f"{s}{i}.png"), None, f"{s}{i}", s) for s, n in (("a", 9), ("b", 2)) for i in range(n)]
    assert choose_spread(frames, 3) == {"a": [0, 4, 8], "b": [9, 10]}
    assert choose_spread(frames, 1) == {"a": [0], "b": [9]}
