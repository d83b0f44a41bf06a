"""A split as a folder of lists that stands for a data folder, and what it is worth, as plain numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data.ahead import map_ahead
from desertseg.data.errors import DataError
from desertseg.data.folders import Frame, find_frames, find_layout
from desertseg.data.hashing import NEAR, find_near, hash_image
from desertseg.data.lists import write_list
from desertseg.data.read import read_image
from desertseg.data.splitting import Split, count_random_twins, count_twins, find_one_sided
from desertseg.errors import UserError
from desertseg.files import prepare_folder, write_text
from desertseg.labels import LabelMap

SIDES = ("train", "val")
_SHOWN = 20  # pairs of near twins that are told


def pool_frames(data: str | Path) -> tuple[list[Frame], np.ndarray]:
    """Return the frames of a data folder that a new split may share out, by name, and the side of each until now.

    They are those of train and val; all, of no side "", where there are no such splits. Test is left alone.

    Raises:
        DataError: as `find_frames`.
    """
    splits = sorted(s for s in find_layout(data).splits if s in SIDES)
    found = {split: find_frames(data, split) for split in splits} if splits else {"": find_frames(data)}
    side = {frame.image: split for split, frames in found.items() for frame in frames}
    by_image = {frame.image: frame for frames in found.values() for frame in frames}
    pooled = sorted(by_image.values(), key=lambda f: (f.name, str(f.image)))
    return pooled, np.array([side[frame.image] for frame in pooled])


def hash_frames(frames: Sequence[Frame], progress: Callable[[int], None] | None = None) -> np.ndarray:
    """Return the perceptual hash of each frame's image: uint64 (N,).

    Raises:
        DataError: an image that cannot be read.
    """
    hashes = np.zeros(len(frames), np.uint64)
    for place, (_, found) in enumerate(map_ahead(lambda frame: hash_image(read_image(frame.image)), frames)):
        if isinstance(found, UserError):
            raise found
        hashes[place] = found
        if progress:
            progress(1)
    return hashes


def describe_split(
    split: Split, frames: Sequence[Frame], own: np.ndarray, counts: np.ndarray, hashes: np.ndarray, labels: LabelMap
) -> dict[str, Any]:
    """Return what a split is worth, for JSON: sizes, each class on both sides, groups, near twins that remain.

    Args:
        split: of the frames.
        frames, own: as `pool_frames` returns them; the split that was there is compared with.
        counts: int64 (N, C), pixels of each class.
        hashes: uint64 (N,).
        labels: the label map.
    """
    train, val = (split.take(side) for side in SIDES)
    twins = count_twins(hashes[val], hashes[train])
    near = find_near(hashes[val], hashes[train], most=_SHOWN)
    return {
        "by": split.by,
        "frames": {"train": len(train), "val": len(val), "left_out": len(frames) - len(train) - len(val)},
        "classes": _describe_classes(split, counts, labels),
        "one_sided": [[labels.names[c], side] for c, side in find_one_sided(split, counts)],
        "twins": {
            "bits": NEAR,
            "val_frames": twins,
            "share": twins / len(val),
            "share_before": _share_before(own, hashes),
            "share_if_random": count_random_twins(hashes, len(val)),
            "pairs": near.count,
            "nearest": [
                [frames[val[i]].name, frames[train[j]].name, int(bits)]
                for (i, j), bits in zip(near.pairs, near.distances, strict=True)
            ],
        },
        "groups": [
            {
                "name": group.name,
                "side": "val" if inside else "train",
                "frames": len(group.frames),
                "first": frames[group.frames[0]].name,
                "last": frames[group.frames[-1]].name,
            }
            for group, inside in zip(split.groups, split.in_val, strict=True)
        ],
    }


def _describe_classes(split: Split, counts: np.ndarray, labels: LabelMap) -> list[dict[str, Any]]:
    totals = {side: counts[split.take(side)].sum(axis=0) for side in SIDES}
    holding = {side: (counts[split.take(side)] > 0).sum(axis=0) for side in SIDES}
    pixels = {side: max(1, int(totals[side].sum())) for side in SIDES}
    return [
        {
            "name": name,
            **{f"share_{side}": int(totals[side][c]) / pixels[side] for side in SIDES},
            **{f"frames_{side}": int(holding[side][c]) for side in SIDES},
            "of_it_in_val": int(totals["val"][c]) / max(1, int(totals["train"][c] + totals["val"][c])),
        }
        for c, name in enumerate(labels.names)
    ]


def _share_before(own: np.ndarray, hashes: np.ndarray) -> float | None:
    """Return the share of val's frames that had a near twin in train, None where one of the two was empty."""
    train, val = (hashes[own == side] for side in SIDES)
    return count_twins(val, train) / len(val) if len(val) and len(train) else None


def write_split(
    out: str | Path,
    data: str | Path,
    split: Split,
    frames: Sequence[Frame],
    values: dict[str, Any],
    remarks: Sequence[str] = (),
    *,
    overwrite: bool = False,
) -> Path:
    """Write train.txt, val.txt and split.json; return the folder, which stands for the data folder from then on.

    Args:
        out: the folder.
        data: the data folder that the frames lie in.
        split, frames: which frame goes where.
        values: what split.json holds.
        remarks: lines that begin each list.
        overwrite: whether to replace what the folder holds.

    Raises:
        UserError: the folder cannot be written to.
    """
    folder = prepare_folder(out, overwrite)
    try:
        for side in SIDES:
            write_list(folder / f"{side}.txt", [frames[i] for i in split.take(side)], data, remarks)
        write_text(folder / "split.json", json.dumps(values, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}; choose another --out") from error
    return folder
