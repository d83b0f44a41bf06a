from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from desertseg.data import DataError, Frame, find_frames, fit_box, letterbox, load_evaluation
from desertseg.labels import IGNORE_INDEX, LabelMap


@pytest.fixture
def mixed(tmp_path: Path, write_pair: Callable) -> tuple[list[Frame], list]:
    """Seven frames: three of 12x20, one of 9x30, three of 12x20; and what was written."""
    written = [write_pair(tmp_path, f"f{i}", size=(9, 30) if i == 3 else (12, 20)) for i in range(7)]
    return find_frames(tmp_path), written


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_frames_keep_their_order_and_their_native_labels(
    mixed: tuple[list[Frame], list], falcon: LabelMap, resize: str, workers: int
) -> None:
    frames, written = mixed
    batches = list(
        load_evaluation(frames, (8, 10), batch_size=2, labels=falcon, resize=resize, workers=workers, keep_native=True)
    )
    assert [b.count for b in batches] == [2, 1, 1, 2, 1]  # a change of size begins a new batch
    assert [f for b in batches for f in b.frames] == frames
    rest = iter(written)
    for batch in batches:
        height, width = batch.native_size
        assert batch.images.shape == (2, 8, 10, 3)
        assert batch.labels.shape == (2, height, width)
        assert batch.box == fit_box(batch.native_size, (8, 10), resize)
        for i in range(batch.count):
            image, labels = next(rest)
            np.testing.assert_array_equal(batch.images[i], letterbox(image, (8, 10), resize)[0])
            np.testing.assert_array_equal(batch.labels[i], labels)
            np.testing.assert_array_equal(batch.natives[i], image)
        assert not batch.images[batch.count :].any()
        assert (batch.labels[batch.count :] == IGNORE_INDEX).all()
    assert next(rest, None) is None


def test_images_alone_need_no_masks(mixed: tuple[list[Frame], list]) -> None:
    frames = [Frame(f.image, None, f.name) for f in mixed[0]]
    batches = list(load_evaluation(frames, (8, 10), batch_size=4, labels=None))
    assert [b.count for b in batches] == [3, 1, 3]
    assert all(b.labels is None and b.natives == () for b in batches)


def test_a_bad_file_is_reported_and_left_out(mixed: tuple[list[Frame], list], falcon: LabelMap) -> None:
    frames, written = mixed
    frames[1].image.write_bytes(b"")
    frames[6].mask.write_bytes(b"")
    failures = []
    batches = list(
        load_evaluation(
            frames, (8, 10), batch_size=2, labels=falcon, on_error=lambda frame, error: failures.append((frame, error))
        )
    )
    assert [frame for frame, _ in failures] == [frames[1], frames[6]]
    assert "f1.png is empty" in str(failures[0][1])
    assert [f for b in batches for f in b.frames] == [frames[i] for i in (0, 2, 3, 4, 5)]
    np.testing.assert_array_equal(batches[0].labels[1], written[2][1])


def test_without_a_listener_the_error_is_raised_in_its_turn(mixed: tuple[list[Frame], list], falcon: LabelMap) -> None:
    frames = mixed[0]
    frames[5].image.write_bytes(b"")
    batches = load_evaluation(frames, (8, 10), batch_size=2, labels=falcon)
    assert next(batches).count == 2
    with pytest.raises(DataError, match=r"f5\.png is empty"):
        list(batches)


def test_scoring_needs_masks(mixed: tuple[list[Frame], list], falcon: LabelMap) -> None:
    frames = [Frame(f.image, None, f.name) for f in mixed[0]]
    with pytest.raises(DataError, match="has no mask to score against"):
        list(load_evaluation(frames, (8, 10), batch_size=2, labels=falcon))


def test_only_a_few_frames_are_decoded_ahead(mixed: tuple[list[Frame], list], monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    original = load_evaluation.__globals__["read_image"]
    monkeypatch.setitem(load_evaluation.__globals__, "read_image", lambda path: opened.append(path) or original(path))
    frames = mixed[0] * 10
    batches = load_evaluation(frames, (8, 10), batch_size=2, labels=None, workers=1)
    next(batches)
    batches.close()
    assert len(opened) <= 2 + 1 + 2 + 1  # a batch, the frame that ended it, and what waits


def test_options_out_of_range_are_refused_at_once() -> None:
    with pytest.raises(DataError, match="batch_size is 0"):
        load_evaluation([], (8, 10), batch_size=0, labels=None)
    with pytest.raises(DataError, match="no resize 'squash'"):
        load_evaluation([], (8, 10), batch_size=1, labels=None, resize="squash")
