from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from desertseg.data import Augmentation, ClassIndex, DataError, count_batches, find_frames, load_dataset

OPTIONS = {"size": (10, 16), "batch_size": 2, "epochs": 3, "seed": 5}


def leaves(batch) -> list[np.ndarray]:
    inputs, labels = batch
    named = sorted(inputs.items()) if isinstance(inputs, dict) else [("image", inputs)]
    return [*(np.asarray(array) for _, array in named), np.asarray(labels)]


def assert_same(first: list, second: list) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for a, b in zip(leaves(one), leaves(other), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


EVERYTHING = Augmentation(cutmix=0.5, copy_paste=0.5, rare_crop=0.5, hue=10, noise=0.5, shadow=0.5, tint=0.5, clahe=0.5)


@pytest.mark.parametrize("augmentation", [None, Augmentation(), EVERYTHING])
@pytest.mark.parametrize("split", ["train", "val"])
def test_grain_and_tf_deliver_equal_batches(flat_data: Path, split: str, augmentation: Augmentation | None) -> None:
    options = {**OPTIONS, "batch_size": 3, "augmentation": augmentation}
    if augmentation is EVERYTHING:
        counts = np.ones((len(find_frames(flat_data, split)), 10), int)
        options["index"] = ClassIndex(counts, np.full((*counts.shape, 8, 2), 0.5))
    grain, tf = (load_dataset(flat_data, split, format=f, **options) for f in ("grain", "tf"))
    steps = count_batches(flat_data, 3, split=split)
    assert steps == 2
    batches = list(grain)
    assert len(batches) == 3 * steps == int(tf.cardinality())
    assert_same(batches, list(tf))
    assert_same(batches[4:], list(load_dataset(flat_data, split, format="tf", start=4, **options)))


def test_the_tf_dataset_declares_what_it_delivers(flat_data: Path) -> None:
    import tensorflow as tf

    whole = load_dataset(flat_data, format="tf", augmentation=Augmentation(), **OPTIONS)
    assert isinstance(whole, tf.data.Dataset)
    inputs, labels = whole.element_spec
    assert inputs["image"] == tf.TensorSpec((2, 12, 20, 3), tf.uint8)
    assert inputs["affine"] == tf.TensorSpec((2, 2, 3), tf.float32)
    assert labels == tf.TensorSpec((2, 12, 20), tf.uint8)
    short = load_dataset(flat_data, format="tf", drop_remainder=False, **OPTIONS)  # 7 frames in batches of 2
    assert short.element_spec[0].shape.as_list() == [None, 10, 16, 3]
    assert [len(labels) for _, labels in short] == [2, 2, 2, 1] * 3


@pytest.mark.parametrize(("backend", "hidden"), [("jax", True), ("tensorflow", False)])
def test_tensorflow_keeps_off_the_gpu_of_another_backend(
    flat_data: Path, monkeypatch: pytest.MonkeyPatch, backend: str, hidden: bool
) -> None:
    import tensorflow as tf

    calls = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *args: calls.append(args))
    monkeypatch.setattr("desertseg.data.batches.default_backend", lambda: backend)
    load_dataset(flat_data, format="tf", **OPTIONS)
    assert calls == ([([], "GPU")] if hidden else [])


def test_a_stream_starts_anywhere_without_reading_what_came_before(flat_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(flat_data, data)
    options = {**OPTIONS, "epochs": 1, "shuffle": False, "drop_remainder": False}
    whole = list(load_dataset(data, **options))
    for frame in find_frames(data, "train")[:4]:
        frame.image.write_bytes(b"")
    assert_same(list(load_dataset(data, start=2, **options)), whole[2:])
    with pytest.raises(DataError, match="is empty"):
        list(load_dataset(data, start=1, **options))
    assert list(load_dataset(data, start=4, **options)) == []
    with pytest.raises(DataError, match="start is batch 5, but 1 epochs of 4 batches end before it"):
        load_dataset(data, start=5, **options)


def test_iterating_again_gives_the_same_stream(flat_data: Path) -> None:
    dataset = load_dataset(flat_data, augmentation=Augmentation(), **OPTIONS)
    assert_same(list(dataset), list(dataset))


def test_processes_deliver_what_threads_do(flat_data: Path) -> None:
    options = {**OPTIONS, "epochs": 1, "augmentation": Augmentation()}
    assert_same(list(load_dataset(flat_data, workers=1, **options)), list(load_dataset(flat_data, **options)))


def test_defaults_shuffle_and_drop_the_rest_for_train_alone(flat_data: Path) -> None:
    options = {"size": (12, 20), "batch_size": 3}
    assert [len(labels) for _, labels in load_dataset(flat_data, **options)] == [3, 3]
    val = list(load_dataset(flat_data, "val", **options))
    assert [len(labels) for _, labels in val] == [3, 1]
    assert_same(val, list(load_dataset(find_frames(flat_data, "val"), "val", labels="falcon", **options)))
    assert_same(
        list(load_dataset(flat_data, **options)),
        list(load_dataset(flat_data, shuffle=True, drop_remainder=True, **options)),
    )


def test_batches_are_counted_as_they_come(flat_data: Path) -> None:
    assert count_batches(flat_data, 3) == count_batches(7, 3) == 2
    assert count_batches(flat_data, 3, drop_remainder=False) == 3
    assert count_batches(find_frames(flat_data, "val"), 3, split="val") == 2
    with pytest.raises(DataError, match="4 frames do not fill one batch of 5"):
        count_batches(4, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "torch"}, "no format 'torch'; choose grain or tf"),
        ({"workers": -1}, "workers is -1"),
        ({"start": -1}, "start is -1"),
        ({"split": "nosuch"}, "has no split 'nosuch'"),
        ({"labels": "nosuch"}, "no label map 'nosuch'"),
    ],
)
def test_options_that_do_not_exist_are_refused(flat_data: Path, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_dataset(flat_data, **{**OPTIONS, **options})


def test_a_broken_file_ends_either_stream_with_its_message(flat_data: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    data = tmp_path / "data"
    shutil.copytree(flat_data, data)
    find_frames(data, "train")[3].image.write_bytes(b"hello")
    with pytest.raises(DataError, match=r"cc0003\.png is not an image"):
        list(load_dataset(data, **OPTIONS))
    with pytest.raises(tf.errors.OpError, match=r"cc0003\.png is not an image"):
        list(load_dataset(data, format="tf", **OPTIONS))


@pytest.mark.parametrize("format", ["grain", "tf"])
def test_plain_keras_fits_on_it(flat_data: Path, format: str) -> None:
    import keras

    model = keras.Sequential([keras.Input((10, 16, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(10, 1)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile(keras.optimizers.SGD(0.1), loss)
    steps = count_batches(flat_data, OPTIONS["batch_size"])
    dataset = load_dataset(flat_data, format=format, **OPTIONS)
    history = model.fit(dataset, epochs=3, steps_per_epoch=steps, shuffle=False, verbose=0).history
    assert len(history["loss"]) == 3
    assert np.isfinite(history["loss"]).all()
    assert int(model.optimizer.iterations) == 3 * steps


READER = """
import os, sys, time
from desertseg.data.batches import _follow_parent
child = os.fork()
if child == 0:
    _follow_parent(0, 1)
print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_process_that_reads_outlives_ctrl_c_but_not_the_training() -> None:
    """A terminal sends Ctrl-C to all; a training that is killed takes nobody with it."""
    with subprocess.Popen([sys.executable, "-c", READER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = [int(process.stdout.readline()) for _ in range(2)]
        reader = next(pid for pid in found if pid != process.pid)
        os.kill(reader, signal.SIGINT)
        time.sleep(0.2)
        state = Path(f"/proc/{reader}/stat").read_text().rpartition(")")[2].split()[0]
        process.kill()
        assert process.stdout.read() == ""  # ends when the last process that holds the pipe has gone
    assert state in "SR"  # and not Z, of a process that has died
