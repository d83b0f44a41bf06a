"""Cut frames into train and val by scene or by contiguous block, and tell how much of val is nearly in train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from desertseg.data.errors import DataError
from desertseg.data.folders import Frame
from desertseg.data.hashing import NEAR, find_near, find_nearest
from desertseg.data.stratify import Groups, choose_groups

WAYS = ("auto", "scene", "block")
_SCENES = 5  # as many there must be for a choice among them
_OFF = 0.5  # of the wanted share: what val must have of the frames and of each class at least, and its inverse at most
_BLOCKS, _SHORTEST = 8, 10  # blocks that make val, and the length that is enough to begin with
_LEAST = 5  # blocks of a whole data set, however few its frames
_MOST_PAIRS = 1_000_000
_DRAWS = 5  # random splits that a split is compared with


@dataclass(frozen=True)
class Group:
    """Frames that stay together: a scene, or consecutive frames of one."""

    name: str
    frames: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """How frames were cut.

    Attributes:
        by: "scene" or "block".
        groups: what was kept together, in the order of the frames.
        in_val: bool, for each group whether it is in val.
        side: for each frame "train", "val", or "" where it was left out between both.
    """

    by: str
    groups: tuple[Group, ...]
    in_val: np.ndarray
    side: np.ndarray

    def take(self, side: str) -> np.ndarray:
        """Return the places of the frames of a side, int64."""
        return np.flatnonzero(self.side == side)


def plan_split(
    frames: Sequence[Frame],
    counts: np.ndarray,
    hashes: np.ndarray,
    *,
    val: float = 0.2,
    by: str = "auto",
    block: int | None = None,
    gap: int = 0,
    drop_twins: bool = False,
    seed: int = 0,
) -> Split:
    """Return a split of frames in which each class has its share on both sides, as far as that can be.

    Args:
        frames: sorted by name; consecutive ones of a scene follow each other in a drive.
        counts: int64 (N, C), pixels of each class in each frame.
        hashes: uint64 (N,), by `hash_image`.
        val: share of the frames that val is to have.
        by: "scene", "block", or "auto" for scenes where at least five allow val's size and all classes on both sides.
        block: frames of a block; None fits it to the data: the longest of three lengths with which val has between
            half and twice its share of every class, where there is one.
        gap: frames of train that are left out at each end of a block of val.
        drop_twins: leave out what is nearly a frame of val from train.
        seed: another one, another split where several are as good.

    Raises:
        DataError: an option out of its range, or frames that cannot be cut so.
    """
    _check_options(frames, val, by, block, gap)
    scenes = _group_scenes(frames)
    pairs = find_near(hashes, most=_MOST_PAIRS).pairs
    split = None
    if by != "block" and len(scenes) >= (2 if by == "scene" else _SCENES):
        split = _choose("scene", scenes, counts, pairs, val, seed)
        off = len(split.take("val")) / len(frames) / val
        if by == "auto" and (_count_unfair(split, counts, val) or not _OFF <= off <= 1 / _OFF):
            split = None
    if split is None:
        if by == "scene":
            raise DataError(f"all {len(frames)} frames are of one scene, '{frames[0].scene}'; cut by block")
        split = _cut_blocks(scenes, counts, pairs, val, block, seed)
    split = _leave_gap(split, scenes, gap)
    if drop_twins:
        side = split.side.copy()
        _, nearest = find_nearest(hashes, hashes[split.take("val")])
        side[(side == "train") & (nearest <= NEAR)] = ""
        split = replace(split, side=side)
    if not len(split.take("train")):
        raise DataError("no frame is left for train; take a smaller gap, or keep the twins")
    return split


def count_twins(hashes: np.ndarray, others: np.ndarray) -> int:
    """Return how many of the hashes are near one of the others."""
    return int((find_nearest(hashes, others)[1] <= NEAR).sum()) if len(hashes) and len(others) else 0


def count_random_twins(hashes: np.ndarray, val: int, seed: int = 0) -> float:
    """Return the share of val's frames that would have a near twin in train if `val` of all were drawn at random."""
    random = np.random.default_rng(seed)
    found = 0
    for _ in range(_DRAWS):
        order = random.permutation(len(hashes))
        found += count_twins(hashes[order[:val]], hashes[order[val:]])
    return found / (_DRAWS * val)


def find_one_sided(split: Split, counts: np.ndarray) -> list[tuple[int, str]]:
    """Return (class, side) of the classes that occur in the frames of one side alone, those left out not counting."""
    train, val = (counts[split.take(side)].sum(axis=0) > 0 for side in ("train", "val"))
    return [(int(c), "train" if train[c] else "val") for c in np.flatnonzero(train != val)]


def _check_options(frames: Sequence[Frame], val: float, by: str, block: int | None, gap: int) -> None:
    if by not in WAYS:
        raise DataError(f"frames cannot be split by '{by}'; choose one of {', '.join(WAYS)}")
    if not 0 < val < 1:
        raise DataError(f"val = {val} is no share of the frames; give one between 0 and 1, such as 0.2")
    if block is not None and block < 1:
        raise DataError(f"a block of {block} frames is none; give 1 or more")
    if gap < 0:
        raise DataError(f"a gap of {gap} frames is none; give 0 or more")
    if len(frames) < 2:
        raise DataError(f"{len(frames)} frame cannot be cut into train and val; give two or more")


def _group_scenes(frames: Sequence[Frame]) -> list[Group]:
    scenes: dict[str, list[int]] = {}
    for place, frame in enumerate(frames):
        scenes.setdefault(frame.scene, []).append(place)
    return [Group(name, tuple(places)) for name, places in scenes.items()]


def _cut_blocks(
    scenes: Sequence[Group], counts: np.ndarray, pairs: np.ndarray, val: float, block: int | None, seed: int
) -> Split:
    """Return a split by blocks; where their length is open, shorter ones are tried until every class has its share."""
    total = len(counts)
    longest = max(1, min(max(_SHORTEST, round(val * total / _BLOCKS)), total // _LEAST))
    lengths = [block] if block else list(dict.fromkeys(max(1, longest // part) for part in (1, 2, 4)))
    tried = []
    for length in lengths:
        groups = [piece for scene in scenes for piece in _cut_scene(scene, length)]
        if len(groups) < 2:
            raise DataError(f"blocks of {length} frames leave one of all {total}; give a shorter block")
        tried.append(_choose("block", groups, counts, pairs, val, seed))
        if not _count_unfair(tried[-1], counts, val):
            break
    return min(tried, key=lambda split: _count_unfair(split, counts, val))


def _cut_scene(scene: Group, length: int) -> list[Group]:
    pieces = np.array_split(np.array(scene.frames), max(1, round(len(scene.frames) / length)))
    return [
        Group(f"{scene.name}, block {i} of {len(pieces)}" if len(pieces) > 1 else scene.name, tuple(piece.tolist()))
        for i, piece in enumerate(pieces, 1)
    ]


def _choose(by: str, groups: Sequence[Group], counts: np.ndarray, pairs: np.ndarray, val: float, seed: int) -> Split:
    owner = np.empty(len(counts), np.int64)
    for number, group in enumerate(groups):
        owner[list(group.frames)] = number
    between = owner[pairs[:, 0]], owner[pairs[:, 1]]
    near = sparse.coo_array((np.ones(len(pairs)), between), (len(groups), len(groups))).tocsr()
    sums = np.zeros((len(groups), counts.shape[1]), np.int64)
    np.add.at(sums, owner, counts)
    sizes = np.bincount(owner, minlength=len(groups))
    chosen = choose_groups(Groups(sizes, sums, near + near.T), val, seed)
    return Split(by, tuple(groups), chosen, np.where(chosen[owner], "val", "train"))


def _count_unfair(split: Split, counts: np.ndarray, val: float) -> int:
    """Return of how many classes, of those that stand in several frames, val has no fair share."""
    several = (counts > 0).sum(axis=0) > 1
    share = counts[split.take("val")].sum(axis=0) / np.maximum(1, counts.sum(axis=0))
    fair = (share >= val * _OFF) & (share <= min(val / _OFF, (1 + val) / 2))
    return int((several & ~fair).sum())


def _leave_gap(split: Split, scenes: Sequence[Group], gap: int) -> Split:
    side = split.side.copy()
    for scene in scenes:
        places = np.array(scene.frames)
        inside = split.side[places] == "val"
        for shift in range(1, min(gap, len(places) - 1) + 1):
            side[places[shift:][inside[:-shift]]] = ""
            side[places[:-shift][inside[shift:]]] = ""
        side[places[inside]] = "val"
    return replace(split, side=side)
