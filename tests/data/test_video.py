from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.data.errors import DataError
from desertseg.data.video import VideoReader, VideoWriter

SIZE = (46, 80)


def paint(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Smooth colour frames, of which each is brighter than the last: what a lossy codec keeps."""
    ramp = np.linspace(0, 60, size[1])[None, :, None] + np.array([0, 30, 60])
    return [np.broadcast_to(ramp + 12 * i, (*size, 3)).astype(np.uint8) for i in range(count)]


def write_all(writer: VideoWriter, frames: list[np.ndarray]) -> None:
    with writer:
        for frame in frames:
            writer.write(frame)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A function that has OpenCV write a video, without this package."""

    def write(name: str, frames: list[np.ndarray], fps: float = 12.5) -> Path:
        code = cv2.VideoWriter.fourcc(*("MJPG" if name.endswith("avi") else "mp4v"))
        writer = cv2.VideoWriter(str(tmp_path / name), code, fps, (SIZE[1], SIZE[0]))
        for frame in frames:
            writer.write(frame[..., ::-1])
        writer.release()
        return tmp_path / name

    return write


@pytest.mark.parametrize(("name", "fps"), [("a.mp4", 29.97), ("a.avi", 12.5)])
def test_frames_come_in_order_as_rgb(write: Callable[..., Path], name: str, fps: float) -> None:
    frames = paint(9)
    with VideoReader(write(name, frames, fps)) as video:
        assert (video.size, video.count, video.is_camera) == (SIZE, 9, False)
        assert video.fps == pytest.approx(fps, abs=1e-3)
        assert video.damage is not None  # nothing has been read yet
        seen = list(video)
        assert video.damage is None
    assert len(seen) == video.read == 9
    for frame, expected in zip(seen, frames, strict=True):
        assert frame.dtype == np.uint8
        assert frame.shape == expected.shape
        assert np.abs(frame.astype(int) - expected).mean() < 4


@pytest.mark.parametrize(
    ("suffix", "size"), [(".mp4", SIZE), (".mp4", (45, 79)), (".avi", (45, 80)), (".mkv", SIZE), (".webm", SIZE)]
)
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    frames = paint(7, size)
    path = tmp_path / "deep" / f"out{suffix}"
    with VideoWriter(path, 23.976, size) as writer:
        for frame in frames:
            writer.write(frame)
        assert not path.exists()
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with VideoReader(path) as video:
        seen = list(video)
        assert video.fps == pytest.approx(23.976, abs=1e-3)
        assert video.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert len(seen) == 7
    for frame, expected in zip(seen, frames, strict=True):
        assert np.abs(frame[: size[0], : size[1]].astype(int) - expected).mean() < 4


def test_a_failed_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="frame of shape"):
        write_all(VideoWriter(path, 10, SIZE), [*paint(1), *paint(1, (8, 8))])
    with pytest.raises(DataError, match=r"out.mp4 has no frames to write"):
        write_all(VideoWriter(path, 10, SIZE), [])
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file of this process grows past 30 kB; what is over is lost, as on a full disk."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mov", ".mp4", ".webm"])
@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_noticed(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, *SIZE, 3), np.uint8)
    writer = VideoWriter(tmp_path / f"out{suffix}", 10, SIZE)
    with pytest.raises(DataError, match=r"its 40 frames have not all arrived in the file; see whether the disk"):
        write_all(writer, list(noise))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"out.avi cannot be written: (Not a directory|File exists)"):
        write_all(VideoWriter(tmp_path / "file" / "out.avi", 10, SIZE), paint(1))


@pytest.mark.parametrize("name", ["out.gif", "out"])
def test_a_suffix_without_a_codec_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"is to end in .avi, .mkv, .mov, .mp4, .webm"):
        VideoWriter(tmp_path / name, 10, SIZE)


def test_a_video_that_breaks_off_says_so(write: Callable[..., Path]) -> None:
    """A Motion JPEG whose end is missing, but whose header and index promise all frames."""
    noise = np.random.default_rng(0).integers(0, 256, (40, *SIZE, 3), np.uint8)
    path = write("a.avi", list(noise))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with VideoReader(path) as video:
        seen = sum(1 for _ in video)
        assert 10 < seen < 30
        assert video.damage == (f"video {path} broke off after {seen} of 40 frames; copy it again from where it came")


def test_what_holds_no_frame_is_one_line(
    write: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = write("whole.mp4", paint(5)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.mp4").write_text("no video at all\n" * 99)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    write("frameless.avi", [])
    reasons = {
        "cut.mp4": "holds no frame that can be decoded: it is damaged, cut off or not a video",
        "text.mp4": "holds no frame",
        "frameless.avi": "holds no frame",
        "empty.mp4": "is empty (0 bytes)",
        "folder.mp4": "cannot be read: Is a directory",
        "missing.mp4": "does not exist",
    }
    for name, reason in reasons.items():
        with pytest.raises(DataError) as caught:
            VideoReader(tmp_path / name)
        assert f"video {tmp_path / name} {reason}" in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"^camera 97 gives no picture; this machine .*check that it is plugged in"):
        VideoReader(97)
    assert capfd.readouterr().err == ""
