"""Splits that were drawn from one drive in turns, so that val shows what train has seen a moment before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from desertseg.data.check.findings import WARNING, Finding
from desertseg.data.folders import Frame

_RUNS = 3  # blocks of one split in one scene: fewer may be blocks that somebody cut on purpose
_SHARE = 0.2  # of a split's frames that have a neighbour in train


def check_interleaving(splits: Mapping[str, Sequence[Frame]]) -> list[Finding]:
    """Return a warning for each split whose frames lie between those of train, by the order of their names."""
    if "train" not in splits:
        return []
    return [
        finding
        for split, frames in splits.items()
        if split != "train" and frames
        for finding in _compare(splits["train"], split, frames)
    ]


def _compare(train: Sequence[Frame], split: str, frames: Sequence[Frame]) -> list[Finding]:
    scenes: dict[str, list[tuple[list, bool, Frame]]] = {}
    for is_train, several in ((True, train), (False, frames)):
        for frame in several:
            scenes.setdefault(frame.scene, []).append((_order(frame.name), is_train, frame))
    between = 0
    names: list[str] = []
    first: tuple[tuple[str, str], ...] = ()
    for scene, members in scenes.items():
        members.sort(key=lambda m: m[:2])
        flags = [is_train for _, is_train, _ in members]
        starts = [i for i, f in enumerate(flags) if not f and (i == 0 or flags[i - 1])]
        if len(starts) < _RUNS:
            continue
        beside = [i for i, f in enumerate(flags) if not f and any(flags[max(0, i - 1) : i + 2])]
        between += len(beside)
        names.append(scene or "the only one")
        first = first or tuple((members[i][2].name, f"beside {_neighbour(members, i)}") for i in beside[:20])
    if between < _SHARE * len(frames) or not between:
        return []
    scenes_told = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    message = (
        f"{between:,} of {len(frames):,} frames of split {split} are numbered next to a train frame of the same drive "
        f"({scenes_told}): they were drawn in turns, so scores on {split} say little about a place never seen"
    )
    fix = "cut the splits by scene or in blocks (desertseg split), and say so beside the score until then"
    return [Finding(WARNING, "interleaved", message, fix, first, between)]


def _neighbour(members: list[tuple[list, bool, Frame]], place: int) -> str:
    return next(m[2].name for m in members[max(0, place - 1) : place + 2] if m[1])


def _order(name: str) -> list[tuple[int, int, str]]:
    """Return what sorts names as people count: a2 before a10."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", name)]
