"""A video or a camera in, its overlay video out, with the flicker of the labels."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data import Box, EvaluationBatch, letterbox
from desertseg.data.video import VideoReader, VideoWriter, check_video_path
from desertseg.engine.answering import Answering
from desertseg.engine.pipeline import Pipeline, read_ahead
from desertseg.engine.strips import is_large
from desertseg.engine.writers import count_threads
from desertseg.errors import plural
from desertseg.labels import IGNORE_INDEX
from desertseg.metrics.flicker import Flicker, count_flicker
from desertseg.report.film import Film
from desertseg.terminal import progress_line

_READ_AHEAD = 2  # batches
_WAITING_BYTES = 2**28  # of frames that may wait to be drawn and encoded


@dataclass(frozen=True)
class VideoPrediction:
    """What became of one video.

    Attributes:
        path: the overlay video.
        frames: how many it has.
        fps, size: of both videos; size is (height, width).
        flicker: how much the labels change from frame to frame.
        worst: number, from 0, of the frame with the largest flicker; None where there is none.
        unanswered: frames whose answer was no number; they are left untinted.
        unfamiliar: frames that lie outside of what the model was trained on.
        damage: what to say of a video that broke off before its end; None where it did not.
        frames_per_second: from the second batch on, files included; nan where there was one batch.
        idle: share of that time in which the device waited for the host, 0 to 1; nan likewise.
    """

    path: Path
    frames: int
    fps: float
    size: tuple[int, int]
    flicker: Flicker
    worst: int | None
    unanswered: int
    unfamiliar: int
    damage: str | None
    frames_per_second: float
    idle: float

    @property
    def summary(self) -> str:
        """One line for people."""
        parts = [f"{plural(self.frames, 'frame')} of {self.size[1]}x{self.size[0]} at {self.fps:g} fps"]
        if self.flicker.pairs:
            parts += [
                f"flicker {self.flicker.share:.2%} ({self.flicker.changed_share:.1%} of pixels change their label, "
                f"{self.flicker.found_share:.0%} could be followed; worst at {_clock(self.worst or 0, self.fps)})"
            ]
        if self.flicker.cuts:
            parts += [plural(self.flicker.cuts, "cut")]
        if self.unfamiliar:
            parts += [f"{plural(self.unfamiliar, 'frame')} unlike the training's"]
        if self.unanswered:
            parts += [f"{plural(self.unanswered, 'frame')} got no numbers from the model"]
        if self.frames_per_second == self.frames_per_second:
            parts += [f"{self.frames_per_second:.1f} frames/s, device idle {self.idle:.0%} of the time"]
        return "; ".join(parts)


def predict_video(
    answering: Answering,
    source: str | Path | int,
    out: str | Path,
    *,
    size: tuple[int, int],
    resize: str = "letterbox",
    batch_size: int = 4,
    limit: int | None = None,
    progress: bool = True,
) -> VideoPrediction:
    """Return what became of a video whose overlay was written to `out`, with the same frames, fps and size.

    A thread reads, the device computes, threads draw and one encodes, all at the same time and with a bounded number
    of frames in memory. A camera ends by Ctrl-C, or at `limit`; what it showed until then is kept. It is written at
    the rate that the camera claims, so where the model is slower than the camera, the video is faster than life.

    Args:
        answering: what is asked of the model for every batch.
        source: a video file, or the index of a camera.
        out: the video to write, .mp4 (or .avi, .mkv, .mov, .webm); it appears when it is whole.
        size: (height, width) that the network sees.
        resize: how frames are brought there, "letterbox" or "stretch".
        batch_size: frames a step; windows and frames of more than 4 million pixels go one by one.
        limit: stop after so many frames.
        progress: print a progress bar.

    Raises:
        DataError: no such video or camera, none of its frames can be decoded, or `out` cannot be written.
    """
    check_video_path(out)
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(source))
        writer = stack.enter_context(VideoWriter(out, reader.fps, reader.size))
        count = 1 if answering.window or is_large(reader.size) else batch_size
        batches = _batch(islice(reader, limit), reader.size, size, resize, count)
        ahead = stack.enter_context(closing(read_ahead(batches, _READ_AHEAD)))
        line = stack.enter_context(progress_line(Path(out).stem, limit or reader.count or 0, "frames", progress))
        film, pipeline, clock = stack.enter_context(_Film(answering, writer)), Pipeline(), _Clock()
        try:
            for batch, answer in pipeline.run(ahead, answering.compute):
                film.add(batch, answer)
                line.advance(batch.count)
                clock.count(batch.count)
        except KeyboardInterrupt:
            if not reader.is_camera:
                raise
        film.finish()
        rate = clock.rate()
    return film.result(rate, pipeline.idle, damage=reader.damage if limit is None else None)


class _Clock:
    """Frames a second from the second batch on: the first one compiles."""

    def __init__(self) -> None:
        self._started, self._counted = 0.0, 0

    def count(self, frames: int) -> None:
        self._counted += frames if self._started else 0
        self._started = self._started or time.perf_counter()

    def rate(self) -> float:
        return self._counted / (time.perf_counter() - self._started) if self._counted else float("nan")


class _Film:
    """Draws frames on threads, measures their flicker there, and encodes them in order; a context manager."""

    def __init__(self, answering: Answering, writer: VideoWriter) -> None:
        self.flicker = Flicker()
        self.worst: tuple[float, int | None] = 0.0, None
        self.unanswered = self.unfamiliar = 0
        self._answering, self._writer = answering, writer
        self._film = Film(answering.inference.segmenter.labels, writer.size)
        self._before: tuple[np.ndarray, np.ndarray] | None = None
        self._waiting: deque[Future[None]] = deque()
        frame_bytes = 8 * writer.size[0] * writer.size[1]  # the frame, what is drawn of it, labels
        self._most = max(2, _WAITING_BYTES // frame_bytes)
        self._drawers = ThreadPoolExecutor(count_threads(), thread_name_prefix="desertseg-draw")
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="desertseg-encode")

    def __enter__(self) -> _Film:
        return self

    def __exit__(self, *error: Any) -> None:
        for pool in (self._encoder, self._drawers):
            pool.shutdown(cancel_futures=True)

    def add(self, batch: EvaluationBatch, answer: dict[str, np.ndarray]) -> None:
        """Queue a batch; waits where many frames wait already."""
        for i, image in enumerate(batch.natives):
            finished = self._answering.finish(answer, i)
            if finished is None:
                self.unanswered += 1
            self.unfamiliar += self._answering.is_unfamiliar(answer, i)
            labels = np.full(image.shape[:2], IGNORE_INDEX, np.uint8) if finished is None else finished[0]
            frame = image, labels
            drawn = self._drawers.submit(self._draw, self._before, frame)
            self._waiting.append(self._encoder.submit(self._encode, drawn))
            self._before = None if finished is None else frame
            while len(self._waiting) >= self._most:
                self._waiting.popleft().result()

    def finish(self) -> None:
        """Wait for every frame; what a thread raised is raised here."""
        while self._waiting:
            self._waiting.popleft().result()

    def result(self, rate: float, idle: float, damage: str | None) -> VideoPrediction:
        """Return what became of the video, when it is written."""
        return VideoPrediction(
            path=self._writer.path,
            frames=self._writer.written,
            fps=self._writer.fps,
            size=self._writer.size,
            flicker=self.flicker,
            worst=self.worst[1],
            unanswered=self.unanswered,
            unfamiliar=self.unfamiliar,
            damage=damage,
            frames_per_second=rate,
            idle=idle,
        )

    def _draw(
        self, before: tuple[np.ndarray, np.ndarray] | None, frame: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, Flicker]:
        flicker = Flicker() if before is None else count_flicker(*before, *frame)
        return self._film.draw(*frame), flicker

    def _encode(self, drawn: Future[tuple[np.ndarray, Flicker]]) -> None:
        image, flicker = drawn.result()
        if flicker.found and flicker.share > self.worst[0]:
            self.worst = flicker.share, self._writer.written
        self.flicker += flicker
        self._writer.write(image)


def _batch(
    frames: Iterator[np.ndarray], native_size: tuple[int, int], size: tuple[int, int], resize: str, count: int
) -> Iterator[EvaluationBatch]:
    """Yield batches of `count` frames; the last one is filled up with black, so that one program serves all."""
    while natives := tuple(islice(frames, count)):
        images, box = np.zeros((count, *size, 3), np.uint8), Box(0, 0, *size)
        for i, native in enumerate(natives):
            images[i], box = letterbox(native, size, resize)
        yield EvaluationBatch((), images, None, native_size, box, len(natives), natives)


def _clock(frame: int, fps: float) -> str:
    """Return the time of a frame as a player shows it, such as "1:02.4"."""
    seconds = frame / fps
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
