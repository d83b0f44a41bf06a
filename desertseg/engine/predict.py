"""Prediction: frames in; raw-id masks, colour masks and overlays out, at each frame's own size."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data import EvaluationBatch, Frame, find_images, load_evaluation, write_png
from desertseg.engine.checkpoint import fitting, load_segmenter, recipe_views
from desertseg.engine.inference import Inference
from desertseg.errors import UserError
from desertseg.files import prepare_folder
from desertseg.labels import LabelMap
from desertseg.models import Segmenter
from desertseg.report import draw_overlay
from desertseg.terminal import progress_line

_WRITERS = 2
_IN_FLIGHT = 32  # frames that may wait for a writer, so that memory stays flat however slow the disk is


@dataclass(frozen=True)
class Predictions:
    """What `predict` wrote.

    Attributes:
        folder: holds masks/ (uint16 raw ids), masks_color/ and overlays/, a PNG each under the frame's own name.
        masks: the raw-id masks, in the order of the frames.
        failures: (file, reason) of every frame that could not be read.
        images_per_second: whole throughput after the first batch, files included; nan where it is the only one.
    """

    folder: Path
    masks: tuple[Path, ...]
    failures: tuple[tuple[Path, str], ...]
    images_per_second: float


def predict(
    model: str | Path | Segmenter,
    sources: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    size: tuple[int, int] | None = None,
    batch_size: int = 4,
    tta: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Predictions:
    """Return where the masks of `sources` were written.

    Args:
        model: a `.keras` file that `fit` wrote, or a `Segmenter`.
        sources: files, folders and globs in any mix; order is kept.
        out: the folder to make.
        size: (height, width) that the network sees; the training size when None.
        batch_size: frames a step.
        tta: average over the views of the model's recipe, as in `evaluate`.
        overwrite: write into a folder that holds something, replacing masks of the same name.
        progress: print a progress bar.

    Raises:
        UserError: no model, no frame, two frames of one name, or a folder that may not be written.
    """
    segmenter = load_segmenter(model)
    size = size or segmenter.size
    if size is None:
        raise UserError("this model carries no training size; give size=(height, width)")
    images = find_images([sources] if isinstance(sources, (str, Path)) else sources)
    _refuse_same_names(images)
    folder = prepare_folder(out, overwrite)
    frames = [Frame(image=path, mask=None, name=path.stem, scene="") for path in images]
    failures: list[tuple[Path, str]] = []
    masks: list[Path] = []
    writer = _Writer(folder, segmenter.labels)
    with progress_line("predict", len(frames), "images", progress) as line, writer:

        def report(frame: Frame, error: UserError) -> None:
            failures.append((frame.image, str(error)))
            line.advance()

        inference = Inference(segmenter, views=recipe_views(segmenter) if tta else None)
        started, timed = 0.0, 0
        batches = load_evaluation(
            frames,
            size,
            batch_size=batch_size,
            labels=None,
            resize=fitting(segmenter),
            on_error=report,
            keep_native=True,
        )
        for number, batch in enumerate(batches):
            labels = np.asarray(inference.labels(batch.images, batch.box, batch.native_size))
            masks += writer.write(batch, labels)
            line.advance(batch.count)
            timed += batch.count if number else 0
            started = started or time.perf_counter()  # the first batch compiles
        writer.finish()
        elapsed = time.perf_counter() - started
    return Predictions(folder, tuple(masks), tuple(failures), timed / elapsed if timed else float("nan"))


class _Writer:
    """Writes the three pictures of a frame on threads while the device computes the next batch."""

    def __init__(self, folder: Path, labels: LabelMap) -> None:
        self.folder, self.labels = folder, labels
        self._pool = ThreadPoolExecutor(_WRITERS)
        self._running: list[Future[None]] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: Any) -> None:
        self._pool.shutdown(cancel_futures=True)

    def write(self, batch: EvaluationBatch, labels: np.ndarray) -> list[Path]:
        """Queue a batch, uint8 (B, Hn, Wn); returns the paths of its masks."""
        paths = []
        for frame, image, frame_labels in zip(batch.frames, batch.natives, labels[: batch.count], strict=True):
            paths.append(self.folder / "masks" / f"{frame.name}.png")
            self._running.append(self._pool.submit(self._write_frame, paths[-1].name, image, frame_labels))
        while len(self._running) > _IN_FLIGHT:
            self._running.pop(0).result()
        return paths

    def finish(self) -> None:
        """Wait for every file; what a writer raised is raised here."""
        for running in self._running:
            running.result()

    def _write_frame(self, name: str, image: np.ndarray, labels: np.ndarray) -> None:
        write_png(self.folder / "masks" / name, self.labels.decode(labels))
        write_png(self.folder / "masks_color" / name, self.labels.colorize(labels))
        write_png(self.folder / "overlays" / name, draw_overlay(image, labels, self.labels))


def _refuse_same_names(images: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in images:
        other = seen.setdefault(path.stem, path)
        if other is not path:
            raise UserError(
                f"{other} and {path} would both be written as {path.stem}.png; use two folders, or rename one"
            )
