from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from desertseg.data import DataError, letterbox
from desertseg.data.video import VideoReader
from desertseg.engine.answering import Answering
from desertseg.engine.inference import Inference
from desertseg.engine.video import predict_video
from desertseg.labels import load_labels
from desertseg.metrics.flicker import Flicker, count_flicker
from desertseg.models import Segmenter
from desertseg.report.film import Film

SIZE, SEEN = (46, 80), (24, 40)


@pytest.fixture(scope="module")
def answering() -> Answering:
    """A network that sees one pixel at a time."""
    inputs = keras.Input((None, None, 3))
    start = keras.initializers.RandomNormal(stddev=0.5, seed=1)
    network = keras.Model(inputs, keras.layers.Conv2D(10, 1, kernel_initializer=start)(inputs))
    return Answering(Inference(Segmenter(network, load_labels("falcon"), SEEN)), np.zeros(10, np.float32))


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven frames at 12.5 fps in which a pattern of colours glides to the left."""
    path = tmp_path_factory.mktemp("drive") / "drive.avi"
    noise = np.random.default_rng(0).normal(size=(SIZE[0], SIZE[1] + 40, 3)).astype(np.float32)
    world = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 5), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.5, SIZE[::-1])
    for i in range(11):
        writer.write(np.ascontiguousarray(world[:, 2 * i : 2 * i + SIZE[1]]))
    writer.release()
    return path


def read(path: Path) -> list[np.ndarray]:
    with VideoReader(path) as video:
        return list(video)


def label(answering: Answering, image: np.ndarray) -> np.ndarray:
    seen, box = letterbox(image, SEEN)
    return np.asarray(answering.inference.labels(seen[None], box, SIZE))[0]


def test_every_frame_is_drawn_as_it_is_labelled(answering: Answering, drive: Path, tmp_path: Path) -> None:
    """With the rate, the size and the order of the source; the flicker is that of the labels."""
    result = predict_video(answering, drive, tmp_path / "out.avi", size=SEEN, batch_size=4, progress=False)
    frames = read(drive)
    labels = [label(answering, frame) for frame in frames]
    film = Film(load_labels("falcon"), SIZE)
    seen = read(result.path)
    with VideoReader(result.path) as video:
        assert (video.fps, video.size, video.count) == (12.5, SIZE, 11)
    assert (result.frames, result.fps, result.size) == (11, 12.5, SIZE)
    assert (result.damage, result.unanswered, result.unfamiliar) == (None, 0, 0)
    for drawn, frame, its in zip(seen, frames, labels, strict=True):
        assert np.abs(drawn.astype(int) - film.draw(frame, its)).mean() < 12  # a codec's errors
    pairs = [count_flicker(a, b, c, d) for a, b, c, d in zip(frames, labels, frames[1:], labels[1:], strict=False)]
    assert result.flicker == sum(pairs, Flicker())
    shares = [pair.share for pair in pairs]
    assert result.worst == 1 + int(np.argmax(shares))
    assert result.summary.startswith("11 frames of 80x46 at 12.5 fps; flicker ")
    assert 0 <= result.idle <= 1


def test_windows_limits_and_thresholds(answering: Answering, drive: Path, tmp_path: Path) -> None:
    """Windows see what the whole frame at its own size shows, since this network's pixels stand for themselves."""
    whole = predict_video(answering, drive, tmp_path / "a.avi", size=SIZE, limit=3, progress=False)
    slid = predict_video(
        replace(answering, window=(16, 32)), drive, tmp_path / "b.avi", size=SIZE, limit=3, progress=False
    )
    assert whole.frames == slid.frames == len(read(slid.path)) == 3
    assert whole.damage is None
    assert slid.flicker.flickered == pytest.approx(whole.flicker.flickered, abs=3)
    unknown = predict_video(
        replace(answering, confidence=1.0), drive, tmp_path / "c.avi", size=SIZE, limit=2, progress=False
    )
    for drawn, frame in zip(read(unknown.path), read(drive)[:2], strict=True):
        assert np.abs(drawn.astype(int) - frame).mean() < 6  # nothing is sure, so nothing is tinted


def test_frames_wait_in_bounded_numbers(
    answering: Answering, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, behind = [0], []
    decode = VideoReader._decode

    def count(self: VideoReader) -> np.ndarray | None:
        decoded[0] += 1
        return decode(self)

    class Slow(Answering):
        def compute(self, batch: Any) -> dict[str, Any]:
            behind.append(decoded[0])
            return super().compute(batch)

    monkeypatch.setattr(VideoReader, "_decode", count)
    slow = Slow(answering.inference, answering.bias)
    predict_video(slow, drive, tmp_path / "out.avi", size=SEEN, batch_size=1, progress=False)
    assert len(behind) == 11
    assert all(ahead - number <= 4 for number, ahead in enumerate(behind))  # this one, two ahead, one in the making


def test_what_is_no_video_leaves_nothing_behind(answering: Answering, drive: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "cut.avi").write_bytes(drive.read_bytes()[:2000])
    out = tmp_path / "out"
    for source, reason in ((tmp_path / "empty.mp4", "is empty"), (tmp_path / "cut.avi", "holds no"), (97, "camera 97")):
        with pytest.raises(DataError, match=reason):
            predict_video(answering, source, out / "out.mp4", size=SEEN, progress=False)
    with pytest.raises(DataError, match="is to end in"):
        predict_video(answering, drive, out / "out.png", size=SEEN, progress=False)
    assert not out.exists() or list(out.iterdir()) == []


def test_a_video_that_breaks_off_is_labelled_so_far(answering: Answering, drive: Path, tmp_path: Path) -> None:
    data = drive.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: 5686 + (len(data) - 5686) // 2])
    result = predict_video(answering, tmp_path / "cut.avi", tmp_path / "out.avi", size=SEEN, progress=False)
    assert 2 <= result.frames == len(read(result.path)) <= 8
    assert result.damage is not None
    assert f"broke off after {result.frames} of 11 frames" in result.damage


def test_frames_without_numbers_are_counted_and_left_plain(answering: Answering, drive: Path, tmp_path: Path) -> None:
    broken = replace(answering, bias=np.full(10, np.nan, np.float32))
    result = predict_video(broken, drive, tmp_path / "out.avi", size=SEEN, limit=2, progress=False)
    assert (result.unanswered, result.frames, result.flicker) == (2, 2, Flicker())
    assert "2 frames got no numbers from the model" in result.summary
    for drawn, frame in zip(read(result.path), read(drive)[:2], strict=True):
        assert np.abs(drawn.astype(int) - frame).mean() < 6


@pytest.mark.parametrize("source", [0, "file"])
def test_ctrl_c_ends_a_camera_well_and_a_file_not(
    answering: Answering, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: int | str
) -> None:
    class Interrupted(Answering):
        batches = 0

        def compute(self, batch: Any) -> dict[str, Any]:
            Interrupted.batches += 1
            if Interrupted.batches == 6:
                raise KeyboardInterrupt
            return super().compute(batch)

    open_capture: Callable[..., cv2.VideoCapture] = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda *a: open_capture(str(drive)) if a[0] == 0 else open_capture(*a))
    asked = Interrupted(answering.inference, answering.bias)
    options = {"size": SEEN, "batch_size": 1, "progress": False}
    if source == 0:
        result = predict_video(asked, 0, tmp_path / "out.avi", **options)
        assert 3 <= result.frames == len(read(result.path)) <= 5
        assert result.damage is None
    else:
        with pytest.raises(KeyboardInterrupt):
            predict_video(asked, drive, tmp_path / "out.avi", **options)
        assert list(tmp_path.iterdir()) == []
