"""Labelling frames and videos: what is decoded ahead, answered, counted as a failure and handed to the writers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data import DataError, EvaluationBatch, Frame
from desertseg.data.sources import name_video
from desertseg.engine.answering import Answering
from desertseg.engine.checkpoint import fitting
from desertseg.engine.familiarity import MOST_FRAMES, spread
from desertseg.engine.loading import load_by_size
from desertseg.engine.outputs import Labelled, OutputFolder
from desertseg.engine.pipeline import Pipeline
from desertseg.engine.priors import Priors, estimate_shift
from desertseg.engine.video import VideoPrediction, predict_video
from desertseg.engine.writers import Writers, count_threads
from desertseg.errors import UserError
from desertseg.terminal import progress_line

_LOOK = ("comparisons", "overlays", "masks_color", "entropy", "confidence", "costs")  # what says most, first
_NO_NUMBER = (
    "an answer that is no number (NaN or infinite): the model's weights are damaged, or too large for its precision"
)


@dataclass
class Labelling:
    """One call of `predict` under way.

    Args:
        answering: what is asked of the model.
        folder: where frames are written.
        truth: the mask of each image that has one.
        size: (height, width) that the network sees of a whole frame.
        batch_size: frames a step.
        progress: print progress bars.
    """

    answering: Answering
    folder: OutputFolder
    truth: Mapping[Path, Path]
    size: tuple[int, int]
    batch_size: int
    progress: bool = True
    failures: list[tuple[Path, str]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    without_truth: int = 0
    unfamiliar: list[str] = field(default_factory=list)
    videos: list[VideoPrediction] = field(default_factory=list)
    priors: Priors | None = None
    pipeline: Pipeline = field(default_factory=Pipeline)
    rate: float = float("nan")
    views_cost: float = float("nan")

    def estimate_priors(self, frames: Sequence[Frame]) -> None:
        """Look at some of the frames, spread over all, and shift the answers to the class shares found there."""
        chosen = spread(frames, MOST_FRAMES)
        with progress_line("priors", len(chosen), "images", self.progress) as line:

            def batches() -> Iterator[EvaluationBatch]:
                for batch in self._load(chosen, lambda frame, error: None):  # the second pass reports it
                    yield batch
                    line.advance(batch.count)

            self.priors = estimate_shift(self.answering.inference, batches(), len(chosen))
        self.answering = replace(self.answering, bias=self.answering.bias + self.priors.bias)

    def label_frames(self, frames: Sequence[Frame]) -> None:
        """Decode, answer and write: at the same time, each on its own threads."""
        started, timed = 0.0, 0
        with progress_line("predict", len(frames), "images", self.progress) as line, Writers(self.folder) as writers:

            def fail(frame: Frame, reason: UserError | str) -> None:
                self.failures.append((frame.image, str(reason)))
                line.advance()

            batches = self._time_views(self._load(frames, fail), len(frames))
            for batch, answer in self.pipeline.run(batches, self.answering.compute):
                self._add(writers, batch, answer, fail)
                line.advance(batch.count)
                timed += batch.count if started else 0
                started = started or time.perf_counter()  # the first batch compiles
            writers.finish()
            elapsed = time.perf_counter() - started
        self.names += writers.written
        self.notes += writers.notes
        self.rate = timed / elapsed if timed else float("nan")

    def label_video(self, source: Path | int) -> None:
        """Write the overlay video of a video or a camera; one that cannot be read or written is a failure."""
        try:
            video = predict_video(
                self.answering,
                source,
                self.folder.folder / "videos" / f"{name_video(source)}.mp4",
                size=self.size,
                resize=fitting(self.answering.inference.segmenter),
                batch_size=self.batch_size,
                progress=self.progress,
            )
        except DataError as error:
            self.failures.append((Path(str(source)), str(error)))
            return
        self.videos.append(video)
        self.notes += [video.damage] if video.damage else []

    @property
    def look(self) -> Path | None:
        """The picture or video that says most at a glance."""
        pictures = [self.folder.path(kind, name) for kind in _LOOK for name in self.names[:1]]
        return next((path for path in (*pictures, *(video.path for video in self.videos)) if path.is_file()), None)

    def _load(self, frames: Sequence[Frame], on_error: Any) -> Iterator[EvaluationBatch]:
        yield from load_by_size(
            frames,
            self.size,
            batch_size=1 if self.answering.window else self.batch_size,
            labels=None,
            resize=fitting(self.answering.inference.segmenter),
            workers=count_threads(),
            on_error=on_error,
            keep_native=True,
        )

    def _add(self, writers: Writers, batch: EvaluationBatch, answer: dict[str, np.ndarray], fail: Any) -> None:
        for i, (frame, image) in enumerate(zip(batch.frames, batch.natives, strict=True)):
            finished = self.answering.finish(answer, i)
            if finished is None:
                fail(frame, f"image {frame.image} gets {_NO_NUMBER}; nothing is written of it")
                continue
            if self.answering.is_unfamiliar(answer, i):
                self.unfamiliar.append(frame.name)
            truth = self.truth.get(frame.image)
            self.without_truth += truth is None
            writers.add(Labelled(frame.name, image, *finished, truth))

    def _time_views(self, batches: Iterator[EvaluationBatch], frames: int) -> Iterator[EvaluationBatch]:
        """Hand the batches on; with several views and batches, measure on the first what the views cost."""
        for number, batch in enumerate(batches):
            if number == 0 and self.answering.inference.views.count > 1 and frames > batch.count:
                self.views_cost = self.answering.time_views(batch)
            yield batch
