"""Batches of frames by number: the whole loader in numpy.

Batch number `step` is a pure function of the frames, the options and (seed, step), so a stream can begin anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np

from desertseg.data.augmentation import Augmentation
from desertseg.data.errors import DataError
from desertseg.data.folders import Frame
from desertseg.data.letterbox import Box, check_resize, fit_box, resize_image, resize_labels
from desertseg.data.read import check_same_size, image_size, read_image, read_mask
from desertseg.labels import IGNORE_INDEX, LabelMap

LOAD_FACTOR = 1.5  # frames are loaded at up to this times the training size, so that a zoomed crop stays sharp
_STREAM = 0


class BatchSource(Sequence):
    """Batches of a data set by number: `batches[step]`, in numpy, for steps 0 to `epochs * steps_per_epoch`.

    The arguments are those of `load_dataset`, with frames for `data` and nothing left to default by split.

    Attributes:
        steps_per_epoch: batches in an epoch.
        load_size: (height, width) of the images that it delivers.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        *,
        labels: LabelMap,
        size: tuple[int, int],
        batch_size: int,
        shuffle: bool,
        seed: int = 0,
        epochs: int = 1,
        augmentation: Augmentation | None = None,
        resize: str = "letterbox",
        drop_remainder: bool = False,
        threads: int | None = None,
    ) -> None:
        check_at_least(1, height=size[0], width=size[1], batch_size=batch_size, epochs=epochs)
        check_at_least(0, seed=seed)
        for frame in frames:
            if frame.mask is None:
                raise DataError(f"image {frame.image} has no mask; frames to train on or to score need one each")
        self.frames, self.labels, self.size, self.batch_size = tuple(frames), labels, (size[0], size[1]), batch_size
        self.shuffle, self.seed, self.epochs, self.augmentation = shuffle, seed, epochs, augmentation
        self.resize = check_resize(resize)
        self.drop_remainder = drop_remainder
        self.threads = threads or count_cores()
        self.steps_per_epoch = count_steps(len(self.frames), batch_size, drop_remainder)

    def __len__(self) -> int:
        return self.epochs * self.steps_per_epoch

    def __getitem__(self, step: Any) -> tuple[Any, np.ndarray]:
        """Return batch `step`: (images, labels), or ({"image", "affine"}, labels) with augmentation."""
        if not 0 <= step < len(self):
            raise IndexError(f"batch {step} of {len(self)}")
        epoch, at = divmod(int(step), self.steps_per_epoch)
        samples = self._order(epoch)[at * self.batch_size : (at + 1) * self.batch_size]
        images = np.empty((len(samples), *self.load_size, 3), np.uint8)
        labels = np.empty((len(samples), *self.load_size), np.uint8)
        boxes = list(self._pool.map(self._load, samples, images, labels))
        if not self.augmentation:
            return images, labels
        draws = [
            self.augmentation.draw(self.seed, epoch, int(i), self.load_size, self.size, box=box, resize=self.resize)
            for i, box in zip(samples, boxes, strict=True)
        ]
        return {"image": images, **{key: np.stack([d[key] for d in draws]) for key in draws[0]}}, labels

    @cached_property
    def load_size(self) -> tuple[int, int]:
        """The training size; with augmentation the smallest canvas that holds every frame at its own load size."""
        if not self.augmentation:
            return self.size
        with ThreadPoolExecutor(8) as pool:  # headers only, so this waits for the disk
            sizes = set(pool.map(image_size, (f.image for f in self.frames)))
        loaded = [fit_load_size(native, self.size, self.resize) for native in sizes]
        return max(h for h, _ in loaded), max(w for _, w in loaded)

    def _order(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(len(self.frames))
        return np.random.default_rng((_STREAM, self.seed, epoch)).permutation(len(self.frames))

    def _load(self, sample: int, image_out: np.ndarray, labels_out: np.ndarray) -> Box:
        """Decode one frame into its place in the batch; return where in the canvas it lies."""
        frame = self.frames[sample]
        assert frame.mask is not None  # held since the constructor
        image = read_image(frame.image)
        native_size = image.shape[:2]
        if self.augmentation:
            box = Box(0, 0, *fit_load_size(native_size, self.size, self.resize))
        else:
            box = fit_box(native_size, self.size, self.resize)
        size = box.height, box.width
        if size != self.load_size:
            image_out[:], labels_out[:] = 0, IGNORE_INDEX
        resize_image(image, size, out=image_out[box.slices])
        del image  # before the mask's memory is taken: a heap that grows and shrinks by both costs as much as decoding
        labels = read_mask(frame.mask, self.labels)
        check_same_size(frame.image, native_size, frame.mask, labels.shape)
        labels_out[box.slices] = resize_labels(labels, size)
        return box

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, thread_name_prefix="desertseg-decode")

    def __getstate__(self) -> dict[str, Any]:
        self.load_size  # noqa: B018  # so that a worker process need not read every header again
        return {key: value for key, value in self.__dict__.items() if key != "_pool"}


def count_steps(frames: int, batch_size: int, drop_remainder: bool) -> int:
    """Return the batches that an epoch of so many frames has, at least one.

    Raises:
        DataError: there is none.
    """
    steps = frames // batch_size if drop_remainder else -(-frames // batch_size)
    if steps < 1:
        raise DataError(
            f"{frames} frames do not fill one batch of {batch_size}; take a smaller batch_size, or drop_remainder=False"
        )
    return steps


def fit_load_size(native_size: tuple[int, int], size: tuple[int, int], resize: str = "letterbox") -> tuple[int, int]:
    """Return (height, width) at which a frame is loaded for training at `size`: at most 1.5 times that, never larger
    than it is."""
    limit = int(size[0] * LOAD_FACTOR), int(size[1] * LOAD_FACTOR)
    if resize == "stretch":
        return min(native_size[0], limit[0]), min(native_size[1], limit[1])
    if native_size[0] <= limit[0] and native_size[1] <= limit[1]:
        return native_size
    box = fit_box(native_size, limit)
    return box.height, box.width


def count_cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_at_least(minimum: int, **options: int) -> None:
    """Raise DataError for an option below `minimum`."""
    for name, value in options.items():
        if value < minimum:
            raise DataError(f"{name} is {value}; it must be {minimum} or more")
