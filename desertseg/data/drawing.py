"""Draw the augmentation of a whole batch: each sample's own parameters, and what samples give each other."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from desertseg.data.augmentation import Augmentation
from desertseg.data.letterbox import Box
from desertseg.data.mixing import draw_mixing, place_points
from desertseg.data.statistics import ClassIndex
from desertseg.labels import LabelMap


class BatchDraws:
    """The parameters of batches, as pure functions of (seed, epoch, numbers of the samples).

    A sample's number is its frame's, plus N for each time that the frame came before in the epoch.

    Args:
        augmentation: probabilities and ranges.
        labels: the label map.
        seed: what the draws depend on, beside epoch and sample.
        size: training size (height, width).
        resize: what scale 1.0 means, "letterbox" or "stretch".
        load_size: (height, width) of the canvas into which frames are loaded, at its top left.
        loaded_sizes: int (N, 2), height and width of each frame in it.
        index: the classes of the frames, if an effect needs them.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        labels: LabelMap,
        seed: int,
        size: tuple[int, int],
        resize: str,
        load_size: tuple[int, int],
        loaded_sizes: np.ndarray,
        index: ClassIndex | None,
    ) -> None:
        self.augmentation, self.labels, self.seed, self.size, self.resize = augmentation, labels, seed, size, resize
        self.load_size, self.loaded_sizes, self.index = load_size, loaded_sizes, index
        self.mixes = max(augmentation.cutmix, augmentation.copy_paste) > 0

    @cached_property
    def rare(self) -> np.ndarray:
        """The indices of the rare classes; none without an index."""
        if self.index is None:
            return np.zeros(0, int)
        return self.index.rare(self.labels, self.augmentation.rare_classes)

    def draw(self, epoch: int, samples: np.ndarray, rows: slice) -> dict[str, np.ndarray]:
        """Return the parameters of some rows of a batch; "partner" counts in the whole batch.

        Args:
            epoch: 0 or more.
            samples: int (B,), the numbers of all its samples.
            rows: which of them are wanted.
        """
        draws = [self._draw_sample(epoch, sample) for sample in samples[rows].tolist()]
        drawn = {key: np.stack([d[key] for d in draws]) for key in draws[0]}
        if not self.mixes:
            return drawn
        affines = np.empty((len(samples), 2, 3), np.float32)
        for i in {*range(len(samples))} - {*range(len(samples))[rows]}:
            affines[i] = self._draw_sample(epoch, int(samples[i]))["affine"]
        affines[rows] = drawn["affine"]
        return {**drawn, **{key: array[rows] for key, array in self._draw_mixing(epoch, samples, affines).items()}}

    def _draw_sample(self, epoch: int, sample: int) -> dict[str, np.ndarray]:
        frame = sample % len(self.loaded_sizes)
        height, width = self.loaded_sizes[frame].tolist()
        points = []
        if self.augmentation.rare_crop and self.index is not None:
            points = [self.index.points[frame, c] for c in self.rare if self.index.counts[frame, c]]
        return self.augmentation.draw(
            self.seed,
            epoch,
            sample,
            self.load_size,
            self.size,
            box=Box(0, 0, height, width),
            resize=self.resize,
            points=points,
            labels=self.labels,
        )

    def _draw_mixing(self, epoch: int, samples: np.ndarray, affines: np.ndarray) -> dict[str, np.ndarray]:
        frames = samples % len(self.loaded_sizes)
        boxes = np.concatenate([np.zeros((len(frames), 2)), self.loaded_sizes[frames]], axis=1)
        assert self.index is not None  # BatchSource has checked
        points = self.index.points[frames][:, self.rare]
        return draw_mixing(
            self.augmentation,
            self.seed,
            epoch,
            samples,
            self.size,
            places=place_points(affines, points, boxes),
            rare=self.rare,
            labels=self.labels,
        )
