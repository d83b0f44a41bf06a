"""Batches of frames by number: the whole loader in numpy.

Batch number `step` is a pure function of the frames, the options and (seed, step), so a stream can begin anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np

from desertseg.data.augmentation import Augmentation
from desertseg.data.drawing import BatchDraws
from desertseg.data.errors import DataError
from desertseg.data.folders import Frame
from desertseg.data.letterbox import Box, check_resize, fit_box, resize_image, resize_labels
from desertseg.data.read import check_same_size, image_size, read_image, read_mask
from desertseg.data.sampling import order_epoch, weigh_frames
from desertseg.data.statistics import ClassIndex
from desertseg.labels import IGNORE_INDEX, LabelMap
from desertseg.machine import count_cores

LOAD_FACTOR = 1.5  # frames are loaded at up to this times the training size, so that a zoomed crop stays sharp


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
        index: ClassIndex | None = None,
        balance: float = 0.0,
        shard: tuple[int, int] = (0, 1),
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
        self.class_index, self.balance, self.shard = index, balance, (shard[0], shard[1])
        self._check_index()
        self._check_shard()

    def _check_index(self) -> None:
        if not 0 <= self.balance <= 1:
            raise DataError(f"balance is {self.balance}; it lies between 0 (each frame once an epoch) and 1")
        if self.balance and not self.shuffle:
            raise DataError("balance draws frames at random, so it needs shuffle=True")
        if self.class_index is None:
            if self.balance or (self.augmentation and self.augmentation.needs_index):
                what = "balance" if self.balance else "rare_crop, cutmix and copy_paste"
                raise DataError(f"{what} must know where the classes are; give index=index_classes(frames, labels)")
        elif self.class_index.counts.shape != (len(self.frames), self.labels.num_classes):
            frames, classes = self.class_index.counts.shape
            raise DataError(
                f"index is of {frames} frames and {classes} classes, the data of {len(self.frames)} and "
                f"{self.labels.num_classes}; make it with index_classes(frames, labels) of the same"
            )

    def _check_shard(self) -> None:
        host, hosts = self.shard
        if not 0 <= host < hosts:
            raise DataError(f"shard is {self.shard}; give (k, n) for host k of n, counted from 0")
        last = 0 if self.drop_remainder else len(self.frames) % self.batch_size
        if self.batch_size % hosts or last % hosts:
            of = f"batch_size {self.batch_size}" if self.batch_size % hosts else f"the last batch, of {last} frames,"
            raise DataError(f"{of} cannot be shared by {hosts} hosts; it must be a multiple of {hosts}")

    def __len__(self) -> int:
        return self.epochs * self.steps_per_epoch

    def __getitem__(self, step: Any) -> tuple[Any, np.ndarray]:
        """Return batch `step`: (images, labels), or ({"image", "affine", ...}, labels) with augmentation."""
        _, samples, rows = self._samples(step)
        frames = samples[rows] % len(self.frames)
        images = np.empty((len(frames), *self.load_size, 3), np.uint8)
        labels = np.empty((len(frames), *self.load_size), np.uint8)
        list(self._pool.map(self._load, frames, images, labels))
        return ({"image": images, **self.draw(step)} if self.augmentation else images), labels

    def draw(self, step: int) -> dict[str, np.ndarray]:
        """Return the augmentation parameters of batch `step`, without decoding a frame; {} without augmentation."""
        return self._draws.draw(*self._samples(step)) if self._draws else {}

    def _samples(self, step: Any) -> tuple[int, np.ndarray, slice]:
        """Return the epoch of batch `step`, the numbers of its samples on all hosts, and which rows are this host's.

        A sample's number is its frame's, plus the count of frames for each time that the frame came before in the
        epoch, so that it is drawn anew.
        """
        if not 0 <= step < len(self):
            raise IndexError(f"batch {step} of {len(self)}")
        epoch, at = divmod(int(step), self.steps_per_epoch)
        samples = np.arange(len(self.frames))
        if self.shuffle:
            samples, repeats = order_epoch(len(self.frames), self.seed, epoch, self._weights)
            samples = samples + repeats * len(self.frames)
        samples = samples[at * self.batch_size : (at + 1) * self.batch_size]
        host, hosts = self.shard
        return epoch, samples, slice(host * len(samples) // hosts, (host + 1) * len(samples) // hosts)

    @cached_property
    def _weights(self) -> np.ndarray | None:
        return weigh_frames(self.class_index, self.balance) if self.balance and self.class_index is not None else None

    @cached_property
    def _draws(self) -> BatchDraws | None:
        if not self.augmentation:
            return None
        fixed = self.labels, self.seed, self.size, self.resize, self.load_size, self._loaded_sizes, self.class_index
        return BatchDraws(self.augmentation, *fixed)

    @cached_property
    def load_size(self) -> tuple[int, int]:
        """The training size; with augmentation the smallest canvas that holds every frame at its own load size."""
        if not self.augmentation:
            return self.size
        height, width = self._loaded_sizes.max(axis=0)
        return int(height), int(width)

    @cached_property
    def _loaded_sizes(self) -> np.ndarray:
        """Height and width at which each frame is loaded for augmentation, (N, 2)."""
        with ThreadPoolExecutor(8) as pool:  # headers only, so this waits for the disk
            native = pool.map(image_size, (f.image for f in self.frames))
            return np.array([fit_load_size(n, self.size, self.resize) for n in native])

    def _load(self, sample: int, image_out: np.ndarray, labels_out: np.ndarray) -> None:
        """Decode one frame into its place in the batch."""
        frame = self.frames[sample]
        assert frame.mask is not None  # held since the constructor
        image = read_image(frame.image)
        native_size = image.shape[:2]
        box = self._box(sample) if self.augmentation else fit_box(native_size, self.size, self.resize)
        size = box.height, box.width
        if size != self.load_size:
            image_out[:], labels_out[:] = 0, IGNORE_INDEX
        resize_image(image, size, out=image_out[box.slices])
        del image  # before the mask's memory is taken: a heap that grows and shrinks by both costs as much as decoding
        labels = read_mask(frame.mask, self.labels)
        check_same_size(frame.image, native_size, frame.mask, labels.shape)
        labels_out[box.slices] = resize_labels(labels, size)

    def _box(self, sample: int) -> Box:
        """Return where in the load canvas a frame lies, with augmentation."""
        height, width = self._loaded_sizes[sample]
        return Box(0, 0, int(height), int(width))

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


def check_at_least(minimum: int, **options: int) -> None:
    """Raise DataError for an option below `minimum`."""
    for name, value in options.items():
        if value < minimum:
            raise DataError(f"{name} is {value}; it must be {minimum} or more")
