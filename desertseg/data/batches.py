"""A data set as a stream of batches, for Grain or tf.data.

`BatchSource` is the loader; the two formats only read it ahead, so they deliver the same arrays.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from desertseg.backend import default_backend
from desertseg.data.augmentation import Augmentation
from desertseg.data.errors import DataError
from desertseg.data.folders import Frame, find_frames
from desertseg.data.source import BatchSource, check_at_least, count_steps
from desertseg.data.statistics import ClassIndex
from desertseg.labels import LabelMap, load_labels
from desertseg.machine import count_cores

_AHEAD = 2  # batches that are read while one is used


def load_dataset(
    data: str | Path | Sequence[Frame],
    split: str | None = "train",
    *,
    labels: str | Path | LabelMap = "falcon",
    size: tuple[int, int],
    batch_size: int,
    shuffle: bool | None = None,
    seed: int = 0,
    epochs: int = 1,
    start: int = 0,
    augmentation: Augmentation | None = None,
    resize: str = "letterbox",
    drop_remainder: bool | None = None,
    format: str = "grain",
    workers: int = 0,
    index: ClassIndex | None = None,
    balance: float = 0.0,
    shard: tuple[int, int] = (0, 1),
) -> Any:
    """Return a data set's batches as a dataset that `model.fit` takes: uint8 images and labels, read ahead.

    One dataset streams all `epochs`, each in an order of its own, so give `fit` both numbers (and `shuffle=False`, or
    Keras warns that it cannot shuffle what is shuffled already):
    `model.fit(dataset, epochs=epochs, steps_per_epoch=count_batches(data, batch_size), shuffle=False)`.

    Args:
        data: a folder as `find_frames` knows it, or frames.
        split: which split of a folder.
        labels: a label map, its name, or its TOML file.
        size: training size (height, width).
        batch_size: frames in a batch.
        shuffle: whether each epoch has a random order, of (seed, epoch); by default for "train" alone.
        seed: 0 or more; with the batch's number it decides everything random.
        epochs: how many times the stream goes through the data.
        start: the first batch of the stream that is wanted; what comes before is not read.
        augmentation: what to draw for each sample; None for none.
        resize: "letterbox" keeps the aspect, with black and ignore around; "stretch" does not.
        drop_remainder: whether an epoch ends with its last full batch; by default as `shuffle`.
        format: "grain" (needs no TensorFlow) or "tf", a `tf.data.Dataset`.
        workers: processes that decode, for "grain"; 0 decodes in threads of this process, which is enough unless there
            are many cores. Processes start anew, so a script needs `if __name__ == "__main__":`.
        index: what `index_classes` found in the frames. `balance` needs it, and an augmentation that `needs_index`.
        balance: 0 takes each frame once an epoch; above it, an epoch of as many frames has those that are rich in rare
            classes more often, up to 1 (see `desertseg.data.sampling.weigh_frames`).
        shard: (k, n) on host k of n delivers rows k * B / n to (k + 1) * B / n of each batch of `batch_size` = B; the
            shards of all hosts, one after the other, are what one host would deliver.

    Returns:
        A `grain.IterDataset` or `tf.data.Dataset` of (images uint8 (B, H, W, 3), labels uint8 (B, H, W)) at `size`.
        With augmentation ({"image", "affine", ...}, labels), where images and labels are at load size: native, or
        shrunk to lie within 1.5 times `size`; smaller frames of a mixed data set lie at the top left, with 0 and 255
        around. Beside "affine" there is a key for each effect that is on: `desertseg.augment.augment` applies them.

    Raises:
        DataError, LabelError: a folder, a file or an option that cannot be used; files are read when they are due, and
            tf.data wraps what is raised then in its own error, which ends with our line.
    """
    shuffle = split == "train" if shuffle is None else shuffle
    drop_remainder = shuffle if drop_remainder is None else drop_remainder
    if format not in ("grain", "tf"):
        raise DataError(f"no format '{format}'; choose grain or tf")
    check_at_least(0, workers=workers, start=start)
    batches = BatchSource(
        _as_frames(data, split),
        labels=load_labels(labels),
        size=size,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        epochs=epochs,
        augmentation=augmentation,
        resize=resize,
        drop_remainder=drop_remainder,
        threads=max(1, count_cores() // workers) if workers else None,
        index=index,
        balance=balance,
        shard=shard,
    )
    if start > len(batches):
        raise DataError(
            f"start is batch {start}, but {epochs} epochs of {batches.steps_per_epoch} batches end before it"
        )
    return _to_grain(batches, start, workers) if format == "grain" else _to_tf(batches, start)


def count_batches(
    data: int | str | Path | Sequence[Frame],
    batch_size: int,
    *,
    split: str | None = "train",
    drop_remainder: bool | None = None,
) -> int:
    """Return how many batches `load_dataset` gives an epoch: fit's `steps_per_epoch`.

    Args:
        data: what `load_dataset` is given, or how many frames that is.
        batch_size: frames in a batch.
        split: which split of a folder.
        drop_remainder: as `load_dataset` is given it; by default for "train" alone.

    Raises:
        DataError: there is not one batch, or no such folder or split.
    """
    check_at_least(1, batch_size=batch_size)
    drop_remainder = split == "train" if drop_remainder is None else drop_remainder
    return count_steps(data if isinstance(data, int) else len(_as_frames(data, split)), batch_size, drop_remainder)


def _as_frames(data: str | Path | Sequence[Frame], split: str | None) -> Sequence[Frame]:
    return find_frames(data, split) if isinstance(data, (str, Path)) else data


def _to_grain(batches: BatchSource, start: int, workers: int) -> Any:
    import grain

    ahead = grain.ReadOptions(num_threads=_AHEAD, prefetch_buffer_size=_AHEAD)
    dataset = grain.MapDataset.source(batches)[start:].to_iter_dataset(ahead)
    if not workers:
        return dataset
    from absl import flags  # Grain's processes read flags of its own and fail where no absl program has parsed any

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=_AHEAD)
    return dataset.mp_prefetch(options, worker_init_fn=_follow_parent)


def _follow_parent(worker: int, workers: int) -> None:
    """In a process that reads: leave Ctrl-C, which a terminal sends to all, to the training; end when that has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _to_tf(batches: BatchSource, start: int) -> Any:
    import tensorflow as tf

    if default_backend() != "tensorflow":
        # TensorFlow would take the memory of the GPU that another backend computes on. It may run there already, by the
        # user's own doing; then it refuses.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    # The epoch's last batch may be short, so its length is known only where that is dropped or does not happen.
    whole = batches.drop_remainder or len(batches.frames) % batches.batch_size == 0
    count = batches.batch_size // batches.shard[1] if whole else None
    images = tf.TensorSpec((count, *batches.load_size, 3), tf.uint8)
    labels = tf.TensorSpec((count, *batches.load_size), tf.uint8)
    drawn = {key: tf.TensorSpec((count, *array.shape[1:]), array.dtype) for key, array in batches.draw(0).items()}
    spec = (({"image": images, **drawn} if batches.augmentation else images), labels)

    def load(step: Any) -> Any:
        flat = tf.nest.flatten(spec)
        arrays = tf.numpy_function(lambda s: tf.nest.flatten(batches[s]), [step], [t.dtype for t in flat])
        for array, tensor in zip(arrays, flat, strict=True):
            array.set_shape(tensor.shape)
        return tf.nest.pack_sequence_as(spec, arrays)

    steps = tf.data.Dataset.range(start, len(batches))
    return steps.map(load, num_parallel_calls=_AHEAD, deterministic=True).prefetch(_AHEAD)
