"""A data folder to choose frames from: by scene, by class, at random, or those that a model did worst."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np

from desertseg.data import Frame, find_frames, find_labels, index_classes, read_image, resize_image
from desertseg.data.selection import choose_rich
from desertseg.engine.counted import read_counted
from desertseg.errors import UserError
from desertseg.labels import LabelMap
from desertseg.metrics.tally import Tally
from desertseg.ui.given import Given, check_pixels

SHOWN = 12  # frames at a time
_THUMB = (135, 240)  # (height, width)
_KEPT = 500  # thumbnails in memory: 97 kB each
_GREY = 128


@dataclass(frozen=True)
class Pick:
    """A frame to choose, by its place in the album, and what is said below its picture."""

    place: int
    caption: str


@dataclass(frozen=True)
class Worst:
    """Frames by their mean IoU in one evaluation, the lowest first."""

    title: str
    picks: tuple[Pick, ...]


class Album:
    """The frames of a data folder.

    A frame is asked for by its place among them, never by a path, so that nothing outside of the folder can be had.

    Args:
        data: a folder in any layout that desertseg reads.

    Raises:
        UserError: no such folder, or no frame in it.
    """

    def __init__(self, data: str | Path) -> None:
        self.data = Path(data).expanduser()
        self.frames: list[Frame] = find_frames(self.data, None, masks=False)
        self._thumbnail = lru_cache(maxsize=_KEPT)(self._draw)

    @property
    def title(self) -> str:
        """The folder's name."""
        return self.data.resolve().name

    def given(self, place: int) -> Given:
        """Return a frame with its truth.

        Raises:
            UserError: there is no such frame.
        """
        frame = self._frame(place)
        mask_name = frame.mask.name if frame.mask else ""
        return Given(frame.image, frame.image.name, frame.mask, mask_name, f"of {self.title}")

    @cached_property
    def scenes(self) -> dict[str, int]:
        """How many frames each scene has, by name."""
        return dict(sorted(Counter(frame.scene for frame in self.frames).items()))

    def of_scene(self, scene: str) -> list[Pick]:
        """Return every frame of a scene, in its order."""
        return [Pick(i, frame.name) for i, frame in enumerate(self.frames) if frame.scene == scene]

    @cached_property
    def labels(self) -> LabelMap:
        """The label map of the folder's layout."""
        return find_labels(self.data)[0]

    @cached_property
    def classes(self) -> dict[str, int]:
        """How many frames show each class that any shows, by name; reads every mask once.

        Raises:
            UserError: a mask cannot be read.
        """
        holding = (self._shares > 0).sum(axis=0)
        return {name: int(n) for name, n in zip(self.labels.names, holding, strict=True) if n}

    def of_class(self, name: str) -> list[Pick]:
        """Return the frames that show a class, those that show most of it and lie apart first."""
        if name not in self.labels.names:
            raise UserError(f"there is no class '{name}' in {self.title}; choose one of the list")
        shares = self._shares[:, self.labels.names.index(name)]
        chosen = choose_rich(shares, SHOWN)
        rest = [int(i) for i in np.argsort(-shares, kind="stable") if shares[i] > 0 and int(i) not in set(chosen)]
        masked = self._masked
        return [Pick(masked[i], f"{self.frames[masked[i]].name} · {100 * shares[i]:.2g} %") for i in [*chosen, *rest]]

    def at_random(self, seed: int) -> list[Pick]:
        """Return some frames; another seed, others."""
        places = random.Random(seed).sample(range(len(self.frames)), min(SHOWN, len(self.frames)))
        return [Pick(place, self.frames[place].name) for place in places]

    def worst(self, model: str) -> list[Worst]:
        """Return what `desertseg evaluate` wrote of this folder beside a model, each with its frames, worst first."""
        places = {frame.name: place for place, frame in reversed(list(enumerate(self.frames)))}
        found = []
        for path in sorted(Path(model).parent.glob("evaluation/*/evaluation.json")):
            try:
                counted = read_counted(path.parent)
            except UserError:  # one that is damaged is no reason to browse nothing
                continue
            if not self._is_of(str(counted.details.get("data", ""))):
                continue
            miou = Tally.of(counted.confusion, counted.unanswered).mean("iou")
            names = [name for name, _ in counted.keys]
            order = [int(i) for i in np.argsort(miou, kind="stable") if names[i] in places and not np.isnan(miou[i])]
            picks = tuple(Pick(places[names[i]], f"{names[i]} · mIoU {miou[i]:.3f}") for i in order)
            found += [Worst(path.parent.name, picks)] if picks else []
        return found

    def thumbnail(self, place: int) -> np.ndarray:
        """Return a small picture of a frame, uint8 RGB, grey where it cannot be read."""
        return self._thumbnail(place)

    def _draw(self, place: int) -> np.ndarray:
        frame = self._frame(place)
        try:
            check_pixels(frame.image, frame.image.name)
            image = read_image(frame.image)
        except UserError:
            return np.full((*_THUMB, 3), _GREY, np.uint8)
        scale = min(_THUMB[0] / image.shape[0], _THUMB[1] / image.shape[1])
        small = resize_image(image, (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))))
        top, left = (_THUMB[0] - small.shape[0]) // 2, (_THUMB[1] - small.shape[1]) // 2
        return cv2.copyMakeBorder(
            small, top, _THUMB[0] - small.shape[0] - top, left, _THUMB[1] - small.shape[1] - left, cv2.BORDER_CONSTANT
        )

    def _frame(self, place: int) -> Frame:
        if not 0 <= place < len(self.frames):
            raise UserError(f"{self.title} has {len(self.frames)} frames; there is no number {place}")
        return self.frames[place]

    @cached_property
    def _masked(self) -> list[int]:
        """The places of the frames that have a mask."""
        return [place for place, frame in enumerate(self.frames) if frame.mask]

    @cached_property
    def _shares(self) -> np.ndarray:
        """float (frames with a mask, C): each class's share of each frame."""
        masked = [self.frames[place] for place in self._masked]
        if not masked:
            return np.zeros((0, self.labels.num_classes))
        counts = index_classes(masked, self.labels).counts
        return counts / counts.sum(axis=1, keepdims=True).clip(1)

    def _is_of(self, data: str) -> bool:
        """Whether an evaluation's data is this folder."""
        return bool(data) and Path(data).expanduser().resolve() == self.data.resolve()


def page_of(picks: Sequence[Pick], number: int) -> tuple[list[Pick], int]:
    """Return (the picks of a page, how many pages there are); pages count from 0 and end where the picks do."""
    pages = max(1, -(-len(picks) // SHOWN))
    number = min(max(0, number), pages - 1)
    return list(picks[number * SHOWN : (number + 1) * SHOWN]), pages
