"""Scoring a model: one int64 confusion matrix over all pixels, at the masks' own resolution."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from desertseg.data import Frame, find_frames, load_evaluation
from desertseg.engine.checkpoint import fitting, load_segmenter, recipe_views
from desertseg.engine.compiled import device_name
from desertseg.engine.history import plain
from desertseg.engine.inference import Inference
from desertseg.errors import UserError
from desertseg.files import replacing, write_text
from desertseg.labels import LabelMap
from desertseg.metrics import Scores
from desertseg.models import Segmenter
from desertseg.report import draw_confusion, draw_per_class
from desertseg.terminal import ProgressLine, progress_line


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured.

    Attributes:
        scores: every number, from one confusion matrix int64 (C, C).
        labels: the label map of the model.
        frames: how many frames were scored.
        folder: where the files were written, None if nowhere.
        images_per_second: whole throughput after the first batch, reading included; nan if it is the only one.
        definition: what `scores.miou` is a mean of.
    """

    scores: Scores
    labels: LabelMap
    frames: int
    folder: Path | None
    images_per_second: float

    @property
    def definition(self) -> str:
        return self.scores.definition


def measure(
    inference: Inference,
    frames: Sequence[Frame],
    size: tuple[int, int],
    *,
    batch_size: int,
    resize: str,
    line: ProgressLine | None = None,
) -> tuple[Scores, float, float]:
    """Return (scores over all pixels, mean loss over batches, images a second after the first batch)."""
    labels = inference.segmenter.labels
    confusion = np.zeros((labels.num_classes, labels.num_classes), np.int64)
    losses: list[float] = []
    pending: list[tuple[Any, Any, int]] = []
    started, timed = time.perf_counter(), 0

    def settle() -> None:
        nonlocal started, timed
        counts, loss, count = pending.pop(0)
        confusion[...] += np.asarray(counts).astype(np.int64)
        losses.append(float(loss))
        if len(losses) == 1:
            started = time.perf_counter()  # the first batch compiles
        else:
            timed += count
        if line:
            line.advance(count)

    for batch in load_evaluation(frames, size, batch_size=batch_size, labels=labels, resize=resize):
        pending.append((*inference.counts(batch.images, batch.labels, batch.box), batch.count))
        if len(pending) > 1:  # one batch stays in flight, so that reading and computing overlap
            settle()
    while pending:
        settle()
    elapsed = time.perf_counter() - started
    return Scores(confusion, labels.names), float(np.mean(losses)), timed / elapsed if timed else float("nan")


def evaluate(
    model: str | Path | Segmenter,
    data: str | Path | Sequence[Frame],
    *,
    split: str | None = "val",
    out: str | Path | None = None,
    size: tuple[int, int] | None = None,
    batch_size: int = 4,
    tta: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Evaluation:
    """Return the scores of a model on a split of a data set, and write them with pictures.

    Every frame is fitted into the training size; the logits are resized to the mask's own resolution before the class
    is chosen, and one confusion matrix is counted over all pixels that are not ignored.

    Args:
        model: a `.keras` file that `fit` wrote, or a `Segmenter`.
        data: a folder of frames and masks, or `Frame`s.
        split: "train", "val", "test", or None for every frame below `data`.
        out: folder for evaluation.json, per_class.csv and two PNGs. For a model file the default is
            `evaluation/<data>-<split>` beside it; for a `Segmenter` nothing is written without it.
        size: (height, width) that the network sees; the training size when None.
        batch_size: frames a step.
        tta: average the probabilities of the views that the model's recipe names under [inference], or of the picture
            and its mirror where it names none.
        overwrite: replace an evaluation of other data in the same folder.
        progress: print a progress bar.

    Raises:
        UserError: a model or data that cannot be used; the message says how to mend it.
    """
    segmenter = load_segmenter(model)
    size = size or segmenter.size
    if size is None:
        raise UserError("this model carries no training size; give size=(height, width)")
    frames = find_frames(data, split) if isinstance(data, (str, Path)) else list(data)
    if not frames:
        raise UserError("there are no frames to score; give at least one")
    source = str(data) if isinstance(data, (str, Path)) else f"{len(frames)} frames"
    folder = _choose_folder(model, data, split, out)
    if folder:
        _refuse_other_data(folder, source, overwrite)
    with progress_line("evaluate", len(frames), "images", progress) as line:
        inference = Inference(segmenter, views=recipe_views(segmenter) if tta else None)
        scores, _, rate = measure(inference, frames, size, batch_size=batch_size, resize=fitting(segmenter), line=line)
    evaluation = Evaluation(scores, segmenter.labels, len(frames), folder, rate)
    if folder:
        name = str(model) if isinstance(model, (str, Path)) else "a Segmenter in memory"
        origin = {"model": name, "data": source, "split": split, "size": list(size)}
        views = {"scales": list(inference.views.scales), "flip": inference.views.flip}
        _write(evaluation, folder, {**origin, "views": views})
    return evaluation


def _choose_folder(model: Any, data: Any, split: str | None, out: str | Path | None) -> Path | None:
    if out is not None:
        return Path(out)
    if isinstance(model, keras.Model):
        return None
    name = Path(data).resolve().name if isinstance(data, (str, Path)) else "frames"
    return Path(model).parent / "evaluation" / f"{name}-{split or 'all'}"


def _refuse_other_data(folder: Path, source: str, overwrite: bool) -> None:
    """A repeated evaluation replaces its own files; one of other data must not bury them."""
    path = folder / "evaluation.json"
    if overwrite or not path.exists():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("data")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); choose another --out, or --overwrite to replace it"
        ) from error
    if found != source:
        raise UserError(f"{folder} holds the evaluation of {found}; choose another --out, or --overwrite to replace it")


def _write(evaluation: Evaluation, folder: Path, origin: dict[str, Any]) -> None:
    scores, names = evaluation.scores, evaluation.labels.names
    report = {
        **scores.to_dict(),
        "resolution": "native: logits resized to each mask's own size before the class is chosen",
        "frames": evaluation.frames,
        "pixels": int(scores.confusion.sum()),
        "labels": evaluation.labels.name,
        **origin,
        "backend": keras.backend.backend(),
        "device": device_name(),
        "images_per_second": plain(evaluation.images_per_second),
    }
    rows = ["class,iou,dice,accuracy,pixels"]
    rows += [
        f"{n},{i:.6f},{d:.6f},{a:.6f},{p}"
        for n, i, d, a, p in zip(
            names, scores.per_class_iou, scores.per_class_dice, scores.per_class_accuracy, scores.pixels, strict=True
        )
    ]
    write_text(folder / "per_class.csv", "\n".join(rows) + "\n")
    with replacing(folder / "confusion_matrix.png") as path:
        draw_confusion(path, scores.confusion, names)
    with replacing(folder / "per_class_iou.png") as path:
        draw_per_class(path, scores, evaluation.labels)
    write_text(folder / "evaluation.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
