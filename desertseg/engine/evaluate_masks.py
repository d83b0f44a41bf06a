"""Scoring anybody's masks with the code that scores a model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from desertseg.data import Frame, read_mask
from desertseg.data.folders import find_labels
from desertseg.data.lists import name_split
from desertseg.data.predictions import match_predictions, read_prediction
from desertseg.engine.evaluate import Failures, conclude, find_scored
from desertseg.engine.evaluation import Evaluation
from desertseg.engine.evaluation_folder import check_other_data
from desertseg.engine.scoring import Answered, Scoring
from desertseg.engine.translation import Translation, choose_labels
from desertseg.errors import UserError
from desertseg.label_mapping import LabelMapping, load_mapping
from desertseg.labels import LabelError, LabelMap, load_labels
from desertseg.terminal import progress_line


def evaluate_masks(
    predictions: str | Path,
    data: str | Path | Sequence[Frame],
    *,
    labels: str | Path | LabelMap | None = None,
    split: str | None = "val",
    index_offset: int | None = None,
    mapping: str | Path | LabelMapping | None = None,
    out: str | Path | None = None,
    boundaries: bool = True,
    overwrite: bool = False,
    progress: bool = True,
) -> Evaluation:
    """Return the scores of a folder of predicted masks on a split of a data set, and write them with pictures.

    Masks are matched to frames by stem, a prefix or suffix that all share apart, and resized to the truth's size by
    nearest neighbour. A pixel with the map's void id, or one that it ignores, is no answer and counts as a miss. A
    frame without a readable mask is left out and named in `failures`.

    Args:
        predictions: the folder.
        data: a folder of frames and masks, or `Frame`s.
        labels: the label map of the truth, and of the predictions' raw ids or colours. When None what `mapping`
            says, or that of the data's layout, or falcon.
        split: "train", "val", "test", or None for every frame below `data`.
        index_offset: the number that stands for the first class, where the masks hold class indices.
        mapping: a correspondence, for a truth of another label map than the predictions'; see `evaluate`.
        out: folder for the files; `evaluation/<data>-<split>` in the folder of masks when None.
        boundaries, overwrite, progress: as in `evaluate`.

    Raises:
        UserError: a folder, a label map or ids that cannot be used; the message says how to mend it.
    """
    started = time.perf_counter()
    if labels is None:
        labels = _default_labels(data) if mapping is None else load_mapping(mapping).source
    label_map = load_labels(labels)
    translation = None if mapping is None else Translation(mapping, label_map)
    truth_map, scored = choose_labels(translation, label_map)
    frames, source = find_scored(data, split)
    name = Path(data).resolve().name if isinstance(data, (str, Path)) else "frames"
    folder = Path(out) if out is not None else Path(predictions) / "evaluation" / f"{name}-{name_split(split)}"
    check_other_data(folder, source, overwrite)
    pairs, missing = match_predictions(predictions, frames)
    failures: Failures = [(Path(predictions), f"there is no mask of frame {name} in {predictions}") for name in missing]
    read = partial(_read, truth=truth_map, labels=label_map, index_offset=index_offset)
    with (
        Scoring(scored, boundaries, translation=translation) as scoring,
        progress_line("evaluate", len(pairs), "masks", progress) as line,
    ):
        for frame, path in pairs:
            line.advance()
            try:
                answered = read(frame, path)
            except LabelError:
                raise
            except UserError as error:
                failures.append((path, str(error)))
                continue
            scoring.add(answered)
        scoring.finish()
    seconds = time.perf_counter() - started
    origin = _WITHOUT_MODEL | {
        "predictions": str(predictions),
        "index_offset": index_offset,
        "data": source,
        "split": split,
        "images_per_second": len(scoring.names) / seconds,
        "seconds": seconds,
    }
    return conclude(scoring, folder, origin, failures)


_WITHOUT_MODEL = {
    "resolution": "native: each predicted mask resized to its truth's size by nearest neighbour",
    "model": None,
    "size": None,
    "at": "native",
    "views": None,
    "backend": None,
    "device": None,
}


def _read(frame: Frame, path: Path, truth: LabelMap, labels: LabelMap, index_offset: int | None) -> Answered:
    if frame.mask is None:
        raise UserError(f"image {frame.image} has no mask to score against; add it or remove the image")
    expected = read_mask(frame.mask, truth)
    size = (expected.shape[0], expected.shape[1])
    return Answered(frame, expected, read_prediction(path, labels, size, index_offset=index_offset))


def _default_labels(data: str | Path | Sequence[Frame]) -> LabelMap:
    return find_labels(data)[0] if isinstance(data, (str, Path)) else load_labels("falcon")
