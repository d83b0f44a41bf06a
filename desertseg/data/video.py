"""Read the frames of a video or a camera, and write a video whole or not at all.

OpenCV decodes and encodes. It says nothing when a file is cut off, when the disk is full or when a frame has another
size than the video; this module does.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from desertseg.data.errors import DataError
from desertseg.data.letterbox import resize_image
from desertseg.data.sources import name_video
from desertseg.files import replacing

CODECS = {".avi": "MJPG", ".mkv": "mp4v", ".mov": "mp4v", ".mp4": "mp4v", ".webm": "VP80"}
_WEB = ".webm"  # the one that every browser plays
_USUAL_FPS = 30.0
_MOST_FPS = 1000.0  # containers without a rate give their clock's instead, such as 90000

_LOG = threading.RLock()  # OpenCV's log level is one for all threads

# FFmpeg's own complaints would stand between our lines; it reads this once, at the first video of the process.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class VideoReader:
    """The frames of a video file or a camera, decoded one by one; a context manager.

    Args:
        source: a file, or the index of a camera.

    Attributes:
        name: what messages call it.
        size: (height, width) of the first frame, upright; later frames of another size are brought to it.
        fps: frames a second; 30 where the source does not say.
        count: frames that the file claims to hold, None for a camera or where it does not say.
        read: frames handed out so far.

    Raises:
        DataError: no such file or camera, or no frame that can be decoded.
    """

    def __init__(self, source: str | Path | int) -> None:
        self.is_camera = isinstance(source, int)
        self.name = f"camera {source}" if self.is_camera else f"video {source}"
        if not isinstance(source, int):
            _check_file(Path(source), self.name)
        self._capture = _open(source)
        first = self._decode()
        if first is None:
            self.close()
            raise DataError(_explain(source, self.name))
        self._first: np.ndarray | None = first
        self.size: tuple[int, int] = first.shape[:2]
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if math.isfinite(fps) and 0 < fps <= _MOST_FPS else _USUAL_FPS
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count = None if self.is_camera or not math.isfinite(count) or count < 1 else round(count)
        self.read = 0

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield uint8 RGB (H, W, 3) until the source ends."""
        frame, self._first = self._first, None
        while frame is not None or (frame := self._decode()) is not None:
            self.read += 1
            yield resize_image(frame, self.size)
            frame = None

    @property
    def damage(self) -> str | None:
        """Say that the source has ended before its time; None where it has not, and before its end.

        A container may round the count that it claims, so the last frame of a hundred is not missed.
        """
        missing = 0 if self.count is None else self.count - self.read
        if missing <= max(1, (self.count or 0) // 100):
            return None
        return f"{self.name} broke off after {self.read:,} of {self.count:,} frames; copy it again from where it came"

    def close(self) -> None:
        """Let go of the file or the camera."""
        self._capture.release()

    def _decode(self) -> np.ndarray | None:
        try:
            found, frame = self._capture.read()
        except cv2.error:
            return None
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if found and frame is not None else None


class VideoWriter:
    """Writes a video under a temporary name and renames it when its context ends well; otherwise nothing is left.

    Codecs code colour for two by two pixels, so a side of odd length is grown by one pixel, a copy of the last one.

    Args:
        path: ends in .mp4, .mov, .mkv (MPEG-4), .avi (Motion JPEG) or .webm (VP8).
        fps: frames a second.
        size: (height, width).

    Raises:
        DataError: another suffix; at the end, that not all frames have arrived in the file.
    """

    def __init__(self, path: str | Path, fps: float, size: tuple[int, int]) -> None:
        self.path, self.fps, self.size, self.written = Path(path), fps, (size[0], size[1]), 0
        check_video_path(self.path)

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            try:
                self._temporary = stack.enter_context(replacing(self.path))
            except OSError as error:
                raise DataError(f"video {self.path} cannot be written: {error.strerror}") from error
            code = cv2.VideoWriter.fourcc(*CODECS[self.path.suffix.lower()])
            height, width = self._coded_size
            with _quiet(), _mute() if self.path.suffix.lower() == _WEB else nullcontext():
                self._writer = cv2.VideoWriter(str(self._temporary), cv2.CAP_FFMPEG, code, self.fps, (width, height))
            stack.callback(self._writer.release)
            if not self._writer.isOpened():
                raise DataError(
                    f"video {self.path} of {self.size[1]}x{self.size[0]} pixels and {self.fps:g} fps cannot be "
                    "encoded by this OpenCV; choose another suffix of .mp4, .avi, .mkv, .mov, .webm"
                )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        with _quiet():
            self._writer.release()
        if error is not None:
            self._stack.__exit__(kind, error, traceback)  # `replacing` removes what there is
            return
        with self._stack:
            self._check_file()

    def write(self, image: np.ndarray) -> None:
        """Append a frame, uint8 RGB (H, W, 3) of the video's size."""
        if image.shape != (*self.size, 3):
            raise ValueError(f"frame of shape {image.shape} for a video of {self.size}")
        height, width = self._coded_size
        if (height, width) != self.size:
            image = cv2.copyMakeBorder(image, 0, height - self.size[0], 0, width - self.size[1], cv2.BORDER_REPLICATE)
        with _quiet():
            self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self.written += 1

    @property
    def _coded_size(self) -> tuple[int, int]:
        return self.size[0] + self.size[0] % 2, self.size[1] + self.size[1] % 2

    def _check_file(self) -> None:
        """Look for the last frame in the file, because the encoder says nothing of a full disk."""
        if not self.written:
            raise DataError(f"video {self.path} has no frames to write")
        capture = _open(self._temporary)
        with _quiet():
            claimed = capture.get(cv2.CAP_PROP_FRAME_COUNT)  # a header may claim frames that never arrived
            capture.set(cv2.CAP_PROP_POS_FRAMES, self.written - 1)
            whole = claimed >= self.written and capture.read()[0]
            capture.release()
        if not whole:
            raise DataError(
                f"video {self.path} cannot be written: its {self.written:,} frames have not all arrived in the file; "
                "see whether the disk is full"
            )


def check_video_path(path: str | Path) -> None:
    """Refuse a name for a video to write whose suffix has no codec here.

    Raises:
        DataError: naming those that have.
    """
    if Path(path).suffix.lower() not in CODECS:
        raise DataError(f"video {path} cannot be written; its name is to end in {', '.join(sorted(CODECS))}")


def _check_file(path: Path, name: str) -> None:
    try:
        with open(path, "rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise DataError(f"{name} does not exist; check the path") from error
    except OSError as error:
        raise DataError(
            f"{name} cannot be read: {error.strerror}; check that it is a file and yours to read"
        ) from error
    if empty:
        raise DataError(f"{name} is empty (0 bytes); copy it again from where it came")


def _open(source: str | Path | int) -> cv2.VideoCapture:
    with _quiet():
        if isinstance(source, int):
            return cv2.VideoCapture(source)
        return cv2.VideoCapture(str(source), cv2.CAP_FFMPEG)


def _explain(source: str | Path | int, name: str) -> str:
    if isinstance(source, int):
        there = sorted(str(p) for p in Path("/dev").glob("video*")) if os.name == "posix" else []
        seen = f"; this machine has {', '.join(there)}" if there else "; this machine shows no camera"
        return f"{name} gives no picture{seen}; check that it is plugged in, free and yours to read"
    return (
        f"{name} holds no frame that can be decoded: it is damaged, cut off or not a video; "
        f"copy it again, or convert it: ffmpeg -i {name_video(source)}{Path(source).suffix} new.mp4"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from warning on standard error of what is said in our own words."""
    logging = cv2.utils.logging
    with _LOG:
        level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
        try:
            yield
        finally:
            logging.setLogLevel(level)


@contextmanager
def _mute() -> Iterator[None]:
    """Close standard error: OpenCV prints there, past its log, that WebM has no code for VP8, which needs none."""
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
