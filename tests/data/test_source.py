from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from desertseg.data import (
    Augmentation,
    BatchSource,
    ClassIndex,
    DataError,
    Frame,
    find_frames,
    letterbox,
    letterbox_labels,
    read_pair,
    resize_image,
    resize_labels,
)
from desertseg.data.source import count_steps, fit_load_size
from desertseg.labels import IGNORE_INDEX, LabelError, LabelMap


def source(frames: list[Frame], labels: LabelMap, **options) -> BatchSource:
    return BatchSource(frames, labels=labels, **{"size": (12, 20), "batch_size": 3, "shuffle": False, **options})


def assert_equal(first, second) -> None:
    (inputs, labels), (other_inputs, other_labels) = first, second
    np.testing.assert_array_equal(labels, other_labels)
    if isinstance(inputs, dict):
        assert inputs.keys() == other_inputs.keys()
        for key in inputs:
            np.testing.assert_array_equal(inputs[key], other_inputs[key])
    else:
        np.testing.assert_array_equal(inputs, other_inputs)


@pytest.mark.parametrize("size", [(12, 20), (7, 9), (24, 31)])
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_unshuffled_batches_are_the_frames_in_order(
    flat_data: Path, falcon: LabelMap, size: tuple[int, int], resize: str
) -> None:
    frames = find_frames(flat_data, "train")
    batches = source(frames, falcon, size=size, resize=resize)
    assert len(batches) == 3  # 3 + 3 + 1 frames
    position = 0
    for images, labels in batches:
        assert images.dtype == labels.dtype == np.uint8
        assert images.shape == (len(labels), *size, 3)
        for image, indices in zip(images, labels, strict=True):
            frame = frames[position]
            native, truth = read_pair(frame.image, frame.mask, falcon)
            np.testing.assert_array_equal(image, letterbox(native, size, resize)[0])
            np.testing.assert_array_equal(indices, letterbox_labels(truth, size, resize))
            position += 1
    assert position == 7


def test_each_epoch_has_every_frame_once_in_an_order_of_its_own(flat_data: Path, falcon: LabelMap) -> None:
    frames = find_frames(flat_data, "train")
    pictures = [source(frames, falcon, batch_size=1)[i][1].tobytes() for i in range(7)]

    def order(seed: int, epoch: int) -> list[int]:
        batches = source(frames, falcon, batch_size=1, shuffle=True, seed=seed, epochs=4)
        return [pictures.index(batches[epoch * 7 + i][1].tobytes()) for i in range(7)]

    orders = [order(0, epoch) for epoch in range(4)]
    assert all(sorted(o) == list(range(7)) for o in orders)
    assert len({tuple(o) for o in orders}) == 4
    assert order(0, 2) == orders[2] != order(1, 2)


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_threads_order_of_reading_and_pickling_change_nothing(
    flat_data: Path, falcon: LabelMap, augmentation: Augmentation | None
) -> None:
    frames = find_frames(flat_data, "train")
    options = {"shuffle": True, "epochs": 2, "augmentation": augmentation, "seed": 4}
    one, many = source(frames, falcon, threads=1, **options), source(frames, falcon, threads=4, **options)
    again = pickle.loads(pickle.dumps(many))
    for step in reversed(range(len(one))):
        assert_equal(one[step], many[step])
        assert_equal(one[step], again[step])


def test_the_affine_belongs_to_the_frame_wherever_it_stands(flat_data: Path, falcon: LabelMap) -> None:
    frames = find_frames(flat_data, "train")
    augmentation = Augmentation()
    batches = source(frames, falcon, shuffle=True, augmentation=augmentation, size=(8, 8), seed=3, epochs=2)
    inputs, _ = batches[4]  # epoch 1, the second batch
    samples = np.random.default_rng((0, 3, 1)).permutation(7)[3:6]
    expected = [augmentation.draw(3, 1, int(i), batches.load_size, (8, 8))["affine"] for i in samples]
    np.testing.assert_array_equal(inputs["affine"], expected)


@pytest.mark.parametrize(
    ("native", "size", "resize", "expected"),
    [
        ((540, 960), (192, 320), "letterbox", (270, 480)),
        ((540, 960), (512, 896), "letterbox", (540, 960)),
        ((540, 960), (256, 256), "letterbox", (216, 384)),
        ((540, 960), (256, 256), "stretch", (384, 384)),
        ((100, 960), (256, 256), "stretch", (100, 384)),
        ((100, 120), (256, 256), "letterbox", (100, 120)),
    ],
)
def test_load_size_is_native_or_within_one_and_a_half(native, size, resize, expected) -> None:
    assert fit_load_size(native, size, resize) == expected


def test_larger_frames_are_shrunk_to_the_load_size(tmp_path: Path, write_pair: Callable, falcon: LabelMap) -> None:
    image, labels = write_pair(tmp_path, "a", size=(40, 60))
    batches = source(find_frames(tmp_path), falcon, size=(12, 20), batch_size=1, augmentation=Augmentation())
    inputs, found = batches[0]
    assert batches.load_size == (18, 27)
    np.testing.assert_array_equal(inputs["image"][0], resize_image(image, (18, 27)))
    np.testing.assert_array_equal(found[0], resize_labels(labels, (18, 27)))


def test_frames_of_several_sizes_share_a_canvas(tmp_path: Path, write_pair: Callable, falcon: LabelMap) -> None:
    written = {name: write_pair(tmp_path, name, size=size) for name, size in (("a", (12, 20)), ("b", (16, 9)))}
    augmentation = Augmentation(flip=0, scale=(1, 1))
    batches = source(find_frames(tmp_path), falcon, size=(16, 20), batch_size=2, augmentation=augmentation)
    inputs, labels = batches[0]
    assert batches.load_size == (16, 20)
    for i, (image, indices) in enumerate(written.values()):
        height, width = indices.shape
        np.testing.assert_array_equal(inputs["image"][i, :height, :width], image)
        np.testing.assert_array_equal(labels[i, :height, :width], indices)
        assert inputs["image"][i].sum() == image.sum(dtype=int)
        assert (labels[i] == IGNORE_INDEX).sum() == labels[i].size - indices.size
        # At scale 1 the frame fits the output, so its right and bottom edges, not the canvas's, lie inside or on it.
        affine = inputs["affine"][i].astype(float)
        zoom = min(16 / height, 20 / width)
        assert affine[0, 0] == pytest.approx(1 / zoom)
        assert affine[0, 2] + affine[0, 0] * 19.5 >= width - 0.5 - 1e-5
        assert affine[1, 2] + affine[1, 1] * 15.5 >= height - 0.5 - 1e-5


def test_what_cannot_be_used_is_refused_when_its_turn_comes(
    tmp_path: Path, write_pair: Callable, falcon: LabelMap
) -> None:
    for name in ("a", "b", "c"):
        write_pair(tmp_path, name)
    write_pair(tmp_path, "b", size=(9, 9), images="other")  # b's mask has another size now
    batches = source(find_frames(tmp_path), falcon, batch_size=1)
    assert len(batches[0][1]) == 1
    with pytest.raises(DataError, match=r"mask .*b\.png is 9x9 pixels"):
        batches[1]
    (tmp_path / "images/c.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"c\.png is empty"):
        batches[2]
    seven = LabelMap("two", falcon.classes[:2])
    with pytest.raises(LabelError, match=r"mask .*a\.png holds id"):  # so no label out of range reaches a loss
        source(find_frames(tmp_path), seven, batch_size=1)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (0, 5)}, "height is 0; it must be 1 or more"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"resize": "squash"}, "no resize 'squash'"),
        ({"batch_size": 9, "drop_remainder": True}, "7 frames do not fill one batch of 9"),
    ],
)
def test_options_out_of_range_are_refused(flat_data: Path, falcon: LabelMap, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        source(find_frames(flat_data, "train"), falcon, **options)


def test_frames_without_masks_are_refused(flat_data: Path, falcon: LabelMap) -> None:
    frame = find_frames(flat_data, "train")[0]
    with pytest.raises(DataError, match="has no mask"):
        source([Frame(frame.image, None, frame.name)], falcon, batch_size=1)


def test_steps_beyond_the_stream_do_not_exist(flat_data: Path, falcon: LabelMap) -> None:
    batches = source(find_frames(flat_data, "train"), falcon, epochs=2)
    for step in (-1, len(batches)):
        with pytest.raises(IndexError):
            batches[step]
    assert [count_steps(7, 3, drop) for drop in (True, False)] == [2, 3]


@pytest.fixture(scope="module")
def index(flat_data: Path, falcon: LabelMap) -> ClassIndex:
    """Of the seven training frames; trees are rare by count, and lie in frames 2 and 5 alone, at one place each."""
    counts = np.full((7, 10), 100)
    counts[:, 0] = (0, 0, 9, 0, 0, 9, 0)
    points = np.full((7, 10, 8, 2), 0.5, np.float32)
    points[counts[:, 0] == 0, 0] = np.nan
    return ClassIndex(counts, points)


EVERYTHING = Augmentation(rotate=20, rare_crop=0.5, cutmix=0.7, copy_paste=0.7, hue=10, shadow=0.5)


@pytest.mark.parametrize("hosts", [2, 4])
def test_shards_are_the_rows_of_the_global_batch(
    flat_data: Path, falcon: LabelMap, index: ClassIndex, hosts: int
) -> None:
    frames = find_frames(flat_data, "train")
    options = {"batch_size": 4, "shuffle": True, "drop_remainder": True, "seed": 2, "epochs": 2}
    options |= {"augmentation": EVERYTHING, "index": index, "balance": 0.5}
    whole = source(frames, falcon, **options)
    parts = [source(frames, falcon, shard=(k, hosts), **options) for k in range(hosts)]
    for step in range(len(whole)):
        batches = [part[step] for part in parts]
        inputs = {key: np.concatenate([b[0][key] for b in batches]) for key in batches[0][0]}
        assert_equal((inputs, np.concatenate([b[1] for b in batches])), whole[step])
    assert whole[0][0]["partner"].max() < 4


def test_frames_that_come_again_in_an_epoch_are_drawn_anew(flat_data: Path, falcon: LabelMap) -> None:
    counts = np.full((7, 10), 10_000)
    counts[:, 0] = (0, 0, 0, 9, 0, 0, 0)
    index = ClassIndex(counts, np.zeros((7, 10, 8, 2), np.float32))
    options = {"shuffle": True, "batch_size": 7, "augmentation": Augmentation(), "index": index}
    frames = find_frames(flat_data, "train")
    inputs, labels = source(frames, falcon, balance=1.0, **options)[0]
    pictures = [picture.tobytes() for picture in labels]
    again = [i for i in range(7) if pictures.count(pictures[i]) > 1]
    assert len(again) >= 4  # of weights, the rare frame's is more than half
    assert len({inputs["affine"][i].tobytes() for i in again}) == len(again)
    assert_equal(source(frames, falcon, **options)[0], source(frames, falcon, **{**options, "index": None})[0])


def test_rare_classes_are_mixed_in_from_the_frames_that_have_them(
    flat_data: Path, falcon: LabelMap, index: ClassIndex
) -> None:
    frames = find_frames(flat_data, "train")
    augmentation = Augmentation(cutmix=1, copy_paste=1, scale=(0.5, 1))
    batches = source(frames, falcon, batch_size=7, augmentation=augmentation, index=index)
    inputs = batches[0][0]
    assert set(inputs["partner"]) == {2, 5}
    assert inputs["partner"][[2, 5]].tolist() == [5, 2]
    np.testing.assert_array_equal(inputs["paste"], np.arange(10) == np.zeros((7, 1)))
    for affine, (top, left, bottom, right) in zip(inputs["affine"][inputs["partner"]], inputs["cutmix"], strict=True):
        x, y = np.linalg.solve(affine[:, :2].astype(float), [9.5, 5.5] - affine[:, 2])  # the frame's middle
        assert top - 0.5 <= y <= bottom - 0.5
        assert left - 0.5 <= x <= right - 0.5
    assert list(batches.draw(0)) == [key for key in inputs if key != "image"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"balance": 0.5, "shuffle": True}, "balance must know where the classes are; give index=index_classes"),
        ({"augmentation": Augmentation(cutmix=0.5)}, "rare_crop, cutmix and copy_paste must know"),
        ({"balance": 2.0}, "balance is 2.0; it lies between 0"),
        ({"balance": 0.5}, "needs shuffle=True"),
        ({"index": ClassIndex(np.zeros((6, 10), int), np.zeros((6, 10, 8, 2)))}, "index is of 6 frames and 10 classes"),
        ({"shard": (2, 2)}, r"shard is \(2, 2\)"),
        ({"shard": (0, 2)}, "batch_size 3 cannot be shared by 2 hosts; it must be a multiple of 2"),
        ({"shard": (0, 2), "batch_size": 4}, "the last batch, of 3 frames, cannot be shared by 2 hosts"),
    ],
)
def test_indices_and_shards_that_do_not_fit_are_refused(
    flat_data: Path, falcon: LabelMap, options: dict, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        source(find_frames(flat_data, "train"), falcon, **options)
