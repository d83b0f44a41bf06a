"""One number for a whole evaluation, in every way that people take it, each with its definition and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from desertseg.metrics.confusion import MetricError
from desertseg.metrics.intervals import FEW_SCENES, Interval, as_interval, bootstrap
from desertseg.metrics.tally import Tally, plain, ratio

TEST_DESERT_LACKS = ("Ground Clutter", "Flowers", "Logs")  # of Falcon's classes
_BATCH = 2  # frames in the starter code's validation batch


@dataclass(frozen=True)
class Mean:
    """One mean.

    Attributes:
        key: what JSON calls it.
        name: what people call it.
        value: NaN where there is nothing to take it of.
        definition: what it is, in words that name what is left out and what an absent class counts.
        by_frame, by_scene: 95 % bootstrap intervals, None where there are fewer than two frames or scenes.
    """

    key: str
    name: str
    value: float
    definition: str
    by_frame: Interval | None = None
    by_scene: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; None for NaN."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {**values, "value": plain(self.value)}


def compute_means(
    confusions: np.ndarray,
    scenes: Sequence[str],
    names: Sequence[str],
    *,
    unanswered: np.ndarray | None = None,
    without: Sequence[str] = TEST_DESERT_LACKS,
    intervals: bool = True,
    seed: int = 0,
) -> list[Mean]:
    """Return every mean of an evaluation, the headline first.

    Args:
        confusions: integers (N, C, C), one matrix a frame in the order of the frames, rows truth, columns prediction.
        scenes: the scene of each frame.
        names: C class names.
        unanswered: integers (N, C): pixels of each class that were given no class, as in `Scores`.
        without: the classes that one mean takes as ignored in the truth; its key is "miou_" and how many are left.
            Names that are no class here are passed over; without any, or any left, there is no such mean.
        intervals: whether to bootstrap, by frame and by scene.
        seed: of the bootstrap.

    Raises:
        MetricError: not (N, C, C) counts, or not one scene a frame and one name a class.
    """
    confusions = np.asarray(confusions)
    if confusions.ndim != 3 or confusions.shape != (len(scenes), len(names), len(names)):
        raise MetricError(
            f"confusions {confusions.shape} do not fit {len(scenes)} scenes and {len(names)} names; "
            "give one (C, C) matrix and one scene a frame, and C names"
        )
    kept = np.array([name not in without for name in names], bool)
    packed = pack(confusions, unanswered, kept)
    whole = packed.sum(axis=0, keepdims=True)
    values = statistics(whole, kept)

    def stacked(sums: np.ndarray) -> np.ndarray:
        return np.stack(list(statistics(sums, kept, whole).values()), axis=1)

    ends = {}
    for kind, groups in (("by_frame", None), ("by_scene", scenes)) if intervals else ():
        found = bootstrap(packed, groups, stacked, seed=seed)
        ends[kind] = {key: as_interval(found, i) for i, key in enumerate(values)}
    values["miou_batch2"] = np.array([_batch_mean(confusions, unanswered)])
    return [
        Mean(key, name, float(values[key][0]), definition, **{kind: ends[kind].get(key) for kind in ends})
        for key, name, definition in _describe(confusions, unanswered, scenes, names, kept)
        if key in values
    ]


def pack(confusions: np.ndarray, unanswered: np.ndarray | None, kept: np.ndarray | None = None) -> np.ndarray:
    """Return (N, 4 C + 2) float64 whose sums over frames are all that `statistics` needs.

    Args:
        confusions, unanswered: as in `compute_means`.
        kept: bool (C,), the classes that are not ignored in the truth of that one mean; None for all.
    """
    tally = Tally.of(confusions, unanswered)
    of_kept = confusions.sum(axis=1) if kept is None else confusions[:, kept].sum(axis=1)
    image = tally.mean("iou")
    return np.concatenate(
        [tally.hits, tally.pixels, tally.predicted, of_kept, np.nan_to_num(image)[:, None], ~np.isnan(image)[:, None]],
        axis=1,
    ).astype(np.float64)


def statistics(
    sums: np.ndarray, kept: np.ndarray | None = None, whole: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return every mean that follows from sums over frames: {key: (R,)}.

    Args:
        sums: (R, 4 C + 2) sums of what `pack` returned.
        kept: as in `pack`.
        whole: (1, 4 C + 2), the sums over all frames where `sums` are those of resamples; see `Tally.mean`.
    """
    (tally, of_kept), (all_frames, all_kept) = (_unpack(s, kept) for s in (sums, sums if whole is None else whole))
    means = {
        "miou": tally.mean("iou", all_frames),
        "miou_all": tally.mean_of_all("iou", all_frames),
        "miou_image": ratio(sums[:, -2], sums[:, -1]),
        "map50": tally.mean("half", all_frames),
        "mean_dice": tally.mean("dice", all_frames),
        "mean_precision": tally.mean("precision", all_frames),
        "mean_recall": tally.mean("recall", all_frames),
        "pixel_accuracy": tally.pixel_accuracy,
        "frequency_weighted_iou": tally.frequency_weighted_iou,
    }
    if kept is not None and 0 < kept.sum() < len(kept):
        means[f"miou_{kept.sum()}"] = of_kept.mean("iou", all_kept)
    return means


def _unpack(sums: np.ndarray, kept: np.ndarray | None) -> tuple[Tally, Tally]:
    """Return the tally of all classes, and that of the kept ones where the truth ignores the others."""
    hits, pixels, predicted, of_kept = np.split(sums[:, :-2], 4, axis=1)
    mask: np.ndarray | int = 1 if kept is None else kept
    return Tally(hits, pixels, predicted), Tally(hits * mask, pixels * mask, of_kept * mask)


def _batch_mean(confusions: np.ndarray, unanswered: np.ndarray | None) -> float:
    """Return the starter code's mean: over batches of two, of the mean IoU over classes in truth or prediction."""
    batches = np.arange(len(confusions)) // _BATCH
    sums = [np.zeros((len(set(batches)), *a.shape[1:]), np.int64) for a in (confusions, confusions[:, 0])]
    np.add.at(sums[0], batches, confusions)
    if unanswered is not None:
        np.add.at(sums[1], batches, unanswered)
    iou = Tally.of(*sums).iou
    means = ratio(np.nansum(iou, axis=1), (~np.isnan(iou)).sum(axis=1))
    return float(ratio(np.nansum(means), (~np.isnan(means)).sum()))


def _describe(
    confusions: np.ndarray,
    unanswered: np.ndarray | None,
    scenes: Sequence[str],
    names: Sequence[str],
    kept: np.ndarray,
) -> list[tuple[str, str, str]]:
    """Return (key, name, definition) of every mean in the order in which they are shown."""
    pixels = Tally.of(confusions, unanswered).pixels
    present, seen = int((pixels.sum(axis=0) > 0).sum()), int((pixels.sum(axis=1) > 0).sum())
    left_out = ", ".join(name for name, keep in zip(names, kept, strict=True) if not keep)
    left, some = int((kept & (pixels.sum(axis=0) > 0)).sum()), int(kept.sum())
    in_truth = f"over the {present} classes present in the truth"
    kinds = len(set(scenes))
    batches = "one batch" if len(scenes) <= _BATCH else f"{-(-len(scenes) // _BATCH)} batches"
    rough = f"; {kinds} scenes are few, so intervals by scene are rough" if 1 < kinds < FEW_SCENES else ""
    return [
        ("miou", "mIoU", f"mean IoU {in_truth}{rough}"),
        (
            "miou_all",
            "mIoU, all classes",
            f"mean IoU over all {len(names)} classes; a class absent from truth and prediction counts 0",
        ),
        (
            f"miou_{some}",
            f"mIoU, {some} classes",
            f"mean IoU over the {left} classes present in the truth but for {left_out}: pixels of those are left out, "
            "other pixels predicted as those are misses",
        ),
        (
            "miou_image",
            "mIoU, per image",
            f"mean over {seen} frames of each frame's mean IoU over the classes in its truth",
        ),
        (
            "miou_batch2",
            "mIoU, batches of 2",
            f"only to compare with the starter code: mean over {batches} of two consecutive "
            "frames of the mean IoU over the classes in the batch's truth or prediction",
        ),
        ("map50", "mAP50", f"the share of the {present} classes present in the truth whose IoU is at least 0.5"),
        ("mean_dice", "Dice", f"mean Dice (F1) {in_truth}"),
        ("mean_precision", "precision", f"mean precision {in_truth}; a class that is never predicted counts 0"),
        ("mean_recall", "recall", f"mean recall (class accuracy) {in_truth}"),
        ("pixel_accuracy", "pixel accuracy", f"the share of {int(pixels.sum()):,} pixels predicted rightly"),
        ("frequency_weighted_iou", "frequency-weighted IoU", "mean IoU weighted by each class's share of the truth"),
    ]
