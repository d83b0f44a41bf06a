"""Scores as text."""

from __future__ import annotations

from desertseg.labels import LabelMap
from desertseg.metrics.confusion import Scores


def score_lines(scores: Scores, labels: LabelMap) -> list[str]:
    """Return a table of the scores, a line a class in index order, then the means with their definitions."""
    width = max(len("class"), *(len(name) for name in labels.names))
    total = max(1, int(scores.pixels.sum()))
    lines = [f"{'class':<{width}}  {'IoU':>6}  {'Dice':>6}  {'recall':>6}  {'pixels %':>8}"]
    lines.append("-" * len(lines[0]))
    for index, name in enumerate(labels.names):
        share = f"{100 * scores.pixels[index] / total:8.3f}"
        if scores.pixels[index]:
            values = (scores.per_class_iou[index], scores.per_class_dice[index], scores.per_class_accuracy[index])
            lines.append(f"{name:<{width}}  " + "  ".join(f"{v:6.4f}" for v in values) + f"  {share}")
        else:
            lines.append(f"{name:<{width}}  {'absent from the truth':>22}  {share}")
    lines.append("-" * len(lines[0]))
    lines.append(f"mIoU            {scores.miou:.4f}   {scores.definition}")
    lines.append(f"mIoU, all       {scores.miou_all:.4f}   {scores.definition_all}")
    lines.append(f"pixel accuracy  {scores.pixel_accuracy:.4f}   over {total:,} pixels at the masks' own resolution")
    return lines
