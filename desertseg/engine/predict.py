"""Prediction: frames and videos in; masks, pictures and maps out, at each frame's own size."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data import DataError, EvaluationBatch, Frame, image_size, load_evaluation
from desertseg.data.sources import Sources, find_sources, name_video
from desertseg.data.truth import find_truth
from desertseg.engine.answering import Answering
from desertseg.engine.checkpoint import fitting, load_segmenter, recipe_views
from desertseg.engine.inference import Inference, suppression_bias
from desertseg.engine.outputs import DEFAULT_OUTPUTS, Labelled, OutputFolder, check_outputs, needed_answers
from desertseg.engine.pipeline import Pipeline
from desertseg.engine.priors import Priors, estimate_shift, training_shares
from desertseg.engine.writers import Writers, count_threads
from desertseg.errors import UserError
from desertseg.files import prepare_folder
from desertseg.labels import LabelMap
from desertseg.models import Segmenter
from desertseg.terminal import ProgressLine, progress_line

_LOOK = ("comparisons", "overlays", "masks_color", "entropy", "confidence", "costs")  # what says most at a glance
_LARGE = 4_000_000  # pixels of a frame above which one at a time is decoded and answered
_SAMPLED_FRAMES = 500  # that class shares are estimated from


@dataclass(frozen=True)
class Predictions:
    """What `predict` wrote.

    Attributes:
        folder: holds a folder for each kind of output, see `desertseg.engine.outputs`.
        labels: the label map of the model.
        frames: names of the frames that were labelled, in order.
        masks: the raw-id masks in the order of the frames, where they were asked for.
        failures: (file, reason) of every frame that could not be read or answered.
        notes: what else went wrong: a comparison without its truth.
        images_per_second: whole throughput after the first batch, files included; nan where it is the only one.
        idle: share of that time in which the device waited for the host, 0 to 1; nan likewise.
        views: how many views of a frame were averaged.
        views_cost: what they took over the time of one view, measured; nan where there was one view or one batch.
        priors: the class shares that were estimated, where they were.
        unfamiliar: names of frames that lie outside of what the model was trained on.
        look: the picture to look at first.
    """

    folder: Path
    labels: LabelMap
    frames: tuple[str, ...]
    masks: tuple[Path, ...] = ()
    failures: tuple[tuple[Path, str], ...] = ()
    notes: tuple[str, ...] = ()
    images_per_second: float = float("nan")
    idle: float = float("nan")
    views: int = 1
    views_cost: float = float("nan")
    priors: Priors | None = None
    unfamiliar: tuple[str, ...] = ()
    videos: tuple[Any, ...] = ()
    look: Path | None = None


def predict(
    model: str | Path | Segmenter,
    sources: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    size: tuple[int, int] | None = None,
    batch_size: int = 4,
    tta: bool = False,
    outputs: Iterable[str] = DEFAULT_OUTPUTS,
    suppress: Sequence[str] = (),
    priors: str = "none",
    confidence: float | None = None,
    window: tuple[int, int] | None = None,
    overlap: float = 0.5,
    masks: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Predictions:
    """Return what was written of `sources`, and how it went.

    Args:
        model: a `.keras` file that `fit` wrote, the name of a shipped one, or a `Segmenter`.
        sources: image files, folders, globs, videos, "camera:0" and "-" in any mix, see `find_sources`.
        out: the folder to make.
        size: (height, width) that the network sees; when None the training size, or the window's own.
        batch_size: frames a step.
        tta: average over the views of the model's recipe, as in `evaluate`.
        outputs: kinds of output, see `desertseg.engine.outputs`.
        suppress: names of classes that are never predicted, because they are known to be absent.
        priors: "none", or "estimated": shift the answers to the class shares that a first pass over the frames finds.
        confidence: pixels whose class has a smaller probability become unknown, 255.
        window: (height, width) of a window that slides over each frame at its own size; by default the whole frame is
            brought to `size`.
        overlap: share of a window that the next one repeats, 0 to 1.
        masks: folder with the truth for "comparisons"; by default the masks beside the images, if any.
        overwrite: write into a folder that holds something, replacing files of the same name.
        progress: print a progress bar.

    Raises:
        UserError: no model, no frame, two frames of one name, an option that does not fit the model, or a folder that
            may not be written.
        OutputError: a file could not be written, such as on a full disk; what stands there is whole.
    """
    segmenter = load_segmenter(model)
    network_size = size or segmenter.size or window
    if network_size is None:
        raise UserError("this model carries no training size; give size=(height, width)")
    if priors not in ("none", "estimated"):
        raise UserError(f"priors are '{priors}'; give 'none' or 'estimated'")
    if priors == "estimated":
        training_shares(segmenter)  # says what is missing before a frame is read
    kinds = check_outputs(outputs, segmenter.labels)
    answering = Answering(
        Inference(segmenter, views=recipe_views(segmenter) if tta else None),
        bias=suppression_bias(segmenter.labels, suppress),
        want=needed_answers(kinds),
        confidence=confidence,
        window=window,
        window_size=size,
        overlap=overlap,
    )
    found = find_sources(sources)
    _refuse_same_names(found)
    truth = _find_truth(found.images, masks) if "comparisons" in kinds else {}
    folder = OutputFolder(prepare_folder(out, overwrite), kinds, segmenter.labels)
    frames = [Frame(image=path, mask=None, name=path.stem) for path in found.images]
    job = _Job(answering, folder, truth, network_size, batch_size)
    if priors == "estimated":
        with progress_line("priors", len(frames), "images", progress) as line:
            job.estimate_priors(frames, line)
    with progress_line("predict", len(frames), "images", progress) as line:
        job.label(frames, line)
    return job.result()


@dataclass
class _Job:
    """One call of `predict` under way."""

    answering: Answering
    folder: OutputFolder
    truth: Mapping[Path, Path]
    size: tuple[int, int]
    batch_size: int
    failures: list[tuple[Path, str]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    without_truth: int = 0
    unfamiliar: list[str] = field(default_factory=list)
    priors: Priors | None = None
    pipeline: Pipeline = field(default_factory=Pipeline)
    rate: float = float("nan")
    views_cost: float = float("nan")

    def estimate_priors(self, frames: list[Frame], line: ProgressLine) -> None:
        """Look at some of the frames, spread over all, and shift the answers to the class shares found there."""
        chosen = frames[:: -(-len(frames) // _SAMPLED_FRAMES)]

        def batches() -> Iterator[EvaluationBatch]:
            for batch in self._load(chosen, lambda frame, error: None):  # the second pass reports it
                yield batch
                line.advance(batch.count)

        self.priors = estimate_shift(self.answering.inference, batches(), len(chosen))
        self.answering = replace(self.answering, bias=self.answering.bias + self.priors.bias)

    def label(self, frames: list[Frame], line: ProgressLine) -> None:
        """Decode, answer and write: at the same time, each on its own threads."""

        def fail(frame: Frame, reason: UserError | str) -> None:
            self.failures.append((frame.image, str(reason)))
            line.advance()

        started, timed = 0.0, 0
        with Writers(self.folder) as writers:
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

    def result(self) -> Predictions:
        notes = _tell_without_truth(self.without_truth) if "comparisons" in self.folder.kinds else []
        pictures = [self.folder.path(kind, self.names[0]) for kind in _LOOK if kind in self.folder.kinds and self.names]
        return Predictions(
            folder=self.folder.folder,
            labels=self.folder.labels,
            look=next((picture for picture in pictures if picture.is_file()), None),
            frames=tuple(self.names),
            masks=tuple(self.folder.path("masks", n) for n in self.names if "masks" in self.folder.kinds),
            failures=tuple(self.failures),
            notes=(*notes, *self.notes),
            images_per_second=self.rate,
            idle=self.pipeline.idle,
            views=self.answering.inference.views.count,
            views_cost=self.views_cost,
            priors=self.priors,
            unfamiliar=tuple(self.unfamiliar),
        )

    def _load(self, frames: list[Frame], on_error: Any) -> Iterator[EvaluationBatch]:
        """Yield batches; a large frame makes one by itself, so that memory does not grow with the batch."""
        for large, group in groupby(frames, _is_large):
            yield from load_evaluation(
                list(group),
                self.size,
                batch_size=1 if large or self.answering.window else self.batch_size,
                labels=None,
                resize=fitting(self.answering.inference.segmenter),
                workers=1 if large else count_threads(),
                on_error=on_error,
                keep_native=True,
            )

    def _add(self, writers: Writers, batch: EvaluationBatch, answer: dict[str, np.ndarray], fail: Any) -> None:
        for i, (frame, image) in enumerate(zip(batch.frames, batch.natives, strict=True)):
            finished = self.answering.finish(answer, i)
            if finished is None:
                fail(
                    frame,
                    f"image {frame.image} gets an answer that is no number (NaN or infinite): the model's weights are "
                    "damaged, or too large for its precision; nothing is written of it",
                )
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


def _find_truth(images: Sequence[Path], masks: str | Path | None) -> dict[Path, Path]:
    truth = find_truth(images, masks)
    if images and not truth:
        where = f"in {masks}" if masks else "beside them"
        raise UserError(f"there is no truth for any of the frames {where}; give its folder with --masks")
    return truth


def _tell_without_truth(count: int) -> list[str]:
    if not count:
        return []
    one = count == 1
    return [
        f"{count} {'frame has' if one else 'frames have'} no truth, and no comparison was drawn of "
        f"{'it' if one else 'them'}"
    ]


def _is_large(frame: Frame) -> bool:
    try:
        height, width = image_size(frame.image)
    except DataError:  # decoding says what is wrong with it
        return False
    return height * width > _LARGE


def _refuse_same_names(found: Sources) -> None:
    seen: dict[str, Path | int] = {}
    for name, source in [*((p.stem, p) for p in found.images), *((name_video(v), v) for v in found.videos)]:
        other = seen.setdefault(name, source)
        if other is not source:
            raise UserError(
                f"{other} and {source} would both be written as {name}; use two output folders, or rename one"
            )
