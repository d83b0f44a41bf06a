"""Masks that anybody predicted: match them to frames by name, and read them as labels at the truth's size."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from desertseg.data.errors import DataError
from desertseg.data.folders import Frame
from desertseg.data.letterbox import resize_labels
from desertseg.data.read import IMAGE_SUFFIXES, read_mask, read_samples
from desertseg.labels import IGNORE_INDEX, LabelError, LabelMap

_LOSSY = frozenset({".jpg", ".jpeg", ".webp"})  # pictures beside the masks, not masks
_OWN_MASKS = "masks"  # where `predict` puts raw ids below its output folder


def match_predictions(folder: str | Path, frames: Sequence[Frame]) -> tuple[list[tuple[Frame, Path]], list[str]]:
    """Return ([(frame, its predicted mask)] in the order of the frames, [names of the frames that have none]).

    A file belongs to the frame whose stem it has, subfolders included, or the stem alone where subfolders differ. All
    files may share a prefix and a suffix around it, such as `cc0000016_pred.png`: those that fit most frames are taken.
    Of an output folder of `desertseg predict` its `masks` are taken. Files of no frame are passed over.

    Args:
        folder: PNG, BMP or TIFF masks, in subfolders or not.
        frames: what they are predictions of.

    Raises:
        DataError: no such folder, no masks in it, none with a frame's name, or two of one frame.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise DataError(
            f"predictions {root} {'are a file' if root.is_file() else 'do not exist'}; give a folder of masks"
        )
    root = root / _OWN_MASKS if (root / _OWN_MASKS).is_dir() else root
    files = _list_masks(root)
    if not files:
        raise DataError(f"predictions {root} hold no masks; expected PNG, BMP or TIFF files named as the frames")
    found = _match(_group(files), {frame.name: frame.name for frame in frames})
    if not found:
        found = _match(_group({path: _base(stem) for path, stem in files.items()}), _unique_bases(frames))
    if not found:
        raise DataError(
            f"predictions {root} hold {len(files)} masks such as {next(iter(files)).name}, but none has the name of a "
            f"frame such as {frames[0].name if frames else 'any'}; name them as the frames, or give the right folder"
        )
    pairs = [(frame, found[frame.name]) for frame in frames if frame.name in found]
    return pairs, [frame.name for frame in frames if frame.name not in found]


def read_prediction(
    path: str | Path, labels: LabelMap, size: tuple[int, int], *, index_offset: int | None = None
) -> np.ndarray:
    """Return a predicted mask as labels: uint8 (H, W) at `size`, resized by nearest neighbour; 255 = no answer.

    Args:
        path: raw ids or the classes' colours, as `read_mask` takes them; the map's void id and those that it ignores
            are no answer. Or class indices:
        labels: the label map of the truth.
        size: (height, width) of the truth.
        index_offset: the number that stands for class 0, where the file holds class indices; 255 is no answer.

    Raises:
        DataError: a file that cannot be read as a mask.
        LabelError: an id, a colour or an index that is no class's.
    """
    if index_offset is not None:
        return resize_labels(_read_indices(path, labels, index_offset), size)
    try:
        return resize_labels(read_mask(path, _with_void(labels)), size)
    except LabelError as error:
        raise _recognise_indices(path, labels) or error from None


def _list_masks(root: Path) -> dict[Path, str]:
    """Return {path: stem with subfolders} of the masks at or below a folder; JPEGs only where there is nothing else."""
    paths = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__")))
        paths += [Path(folder, n) for n in sorted(names) if not n.startswith(".")]
    images = [p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES]
    lossless = [p for p in images if p.suffix.lower() not in _LOSSY]
    return {p: p.relative_to(root).with_suffix("").as_posix() for p in lossless or images}


def _group(stems: Mapping[Path, str]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path, stem in stems.items():
        groups.setdefault(stem, []).append(path)
    return groups


def _base(stem: str) -> str:
    return stem.rpartition("/")[2]


def _unique_bases(frames: Iterable[Frame]) -> dict[str, str]:
    """Return {stem without subfolders: name} of the frames; none where two share one."""
    names = [frame.name for frame in frames]
    bases = {_base(name): name for name in names}
    return bases if len(bases) == len(names) else {}


def _match(files: Mapping[str, list[Path]], names: Mapping[str, str]) -> dict[str, Path]:
    """Return {frame's name: path} for files by stem and frames' names by the stem to look for."""
    affixes: Counter[tuple[str, str]] = Counter()
    lengths = {len(_base(stem)) for stem in names}
    for stem in files:
        folder, slash, base = stem.rpartition("/")
        affixes.update(
            (base[:start], base[start + length :])
            for length in lengths
            for start in range(len(base) - length + 1)
            if folder + slash + base[start : start + length] in names
        )
    if not affixes:
        return {}
    before, after = min(affixes, key=lambda affix: (-affixes[affix], len(affix[0] + affix[1]), affix))
    found = {}
    for stem, name in names.items():
        folder, slash, base = stem.rpartition("/")
        paths = files.get(f"{folder}{slash}{before}{base}{after}", [])
        if len(paths) > 1:
            raise DataError(f"frame {name} has two predictions, {paths[0]} and {paths[1]}; give the folder of one kind")
        if paths:
            found[name] = paths[0]
    return found


@lru_cache(maxsize=4)
def _with_void(labels: LabelMap) -> LabelMap:
    """Return a map that also reads its void id as no answer: in a prediction it is one."""
    return labels if labels.void in labels.ignore else replace(labels, ignore=(*labels.ignore, labels.void))


def _read_indices(path: str | Path, labels: LabelMap, index_offset: int) -> np.ndarray:
    """Return class indices, 255 kept, of a file that stores them plus an offset."""
    samples = read_samples(path)
    table = np.full(1 << 16, -1, np.int16)
    for index in range(labels.num_classes):
        if 0 <= index + index_offset < len(table):
            table[index + index_offset] = index
    table[IGNORE_INDEX] = IGNORE_INDEX
    indices = table[samples]
    wrong = indices < 0
    if wrong.any():
        last = index_offset + labels.num_classes - 1
        raise LabelError(
            f"prediction {path} holds {samples[wrong][0]} ({int(wrong.sum()):,} pixels); with index offset "
            f"{index_offset} label map '{labels.name}' has {index_offset}..{last}, and {IGNORE_INDEX} is no answer"
        )
    return indices.astype(np.uint8)


def _recognise_indices(path: str | Path, labels: LabelMap) -> LabelError | None:
    """Return an error that says so where a file that is no mask of raw ids looks like one of class indices."""
    try:
        samples = read_samples(path)
    except DataError:
        return None
    found = samples[samples != IGNORE_INDEX]
    if not found.size or found.max() > labels.num_classes:
        return None
    offset = int(found.max() == labels.num_classes)
    return LabelError(
        f"prediction {path} holds {found.min()}..{found.max()}, which look like class indices, not raw ids of label "
        f"map '{labels.name}'; give --index-offset {offset} if {offset} is {labels.names[0]}"
    )
