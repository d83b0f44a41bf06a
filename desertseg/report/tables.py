"""Scores as text: for the terminal, and evaluation_metrics.txt as users of the organiser's scripts know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from desertseg.labels import LabelMap
from desertseg.metrics.confusion import Scores

_NAME = 16  # characters that the name of a mean is given
_NATIVE = "at the masks' own resolution"


def score_lines(
    scores: Scores,
    labels: LabelMap,
    *,
    means: Sequence[Any] = (),
    intervals: Mapping[str, Mapping[str, Any]] | None = None,
    resolution: str = "",
) -> list[str]:
    """Return a table of the scores, a line a class in index order, then the means with their definitions.

    Args:
        scores: of one confusion matrix.
        labels: the label map.
        means: every mean to print, as `compute_means` returns them or as evaluation.json holds them; without any, the
            three that the scores themselves have.
        intervals: class -> {"by_frame": (low, high) or None, ...}.
        resolution: at which the pixels were counted, as evaluation.json has it; the masks' own where nothing is said.
    """
    values = {**replace(scores, names=labels.names).to_dict(), "class_intervals": intervals, "resolution": resolution}
    values["means"] = [mean if isinstance(mean, Mapping) else vars(mean) for mean in means]
    pixels = dict(zip(labels.names, (int(p) for p in scores.pixels), strict=True))
    return [*_class_lines(values, pixels), *_mean_lines(values, sum(pixels.values()))]


def metrics_text(evaluation: Mapping[str, Any], pixels: Mapping[str, int] | None = None) -> list[str]:
    """Return the lines of evaluation_metrics.txt: the organiser's layout first, then the whole table and every mean.

    Args:
        evaluation: what evaluation.json holds.
        pixels: of each class in the truth; the rows of the confusion matrix where None.
    """
    rows = zip(evaluation["per_class_iou"], evaluation["confusion"], strict=True)
    pixels = pixels or {name: int(sum(row)) for name, row in rows}
    lines = ["EVALUATION RESULTS", "=" * 50, f"Mean IoU:          {_number(evaluation['miou'])}"]
    lines += [f"({evaluation['definition']})", "=" * 50, "", "Per-Class IoU:", "-" * 40]
    for name, iou in evaluation["per_class_iou"].items():
        lines.append(f"  {name:<20}: {_number(iou) if pixels[name] else 'N/A'}")
    lines += ["", "", *_class_lines(evaluation, pixels), *_mean_lines(evaluation, sum(pixels.values())), ""]
    origin = (
        ("data", "data"),
        ("split", "split"),
        ("frames", "frames"),
        ("model", "model"),
    )
    return [*lines, *(f"{what}: {evaluation[key]}" for what, key in origin if evaluation.get(key) is not None)]


def _class_lines(values: Mapping[str, Any], pixels: Mapping[str, int]) -> list[str]:
    """Return the table of classes with its two rules; precision and intervals only where they are known."""
    width = max(len("class"), *(len(name) for name in pixels))
    titles = {"iou": "IoU", "dice": "Dice", "precision": "precision", "recall": "recall"}
    known = {k: title for k, title in titles.items() if f"per_class_{k}" in values or k == "recall"}
    ranges = {n: (r or {}).get("by_frame") for n, r in (values.get("class_intervals") or {}).items()}
    spans = any(ranges.values())
    total = max(1, sum(pixels.values()))
    columns = [f"{title:>{max(6, len(title))}}" for title in known.values()]
    columns[1:1] = [f"{'95 % interval':^15}"] * spans
    lines = [f"{'class':<{width}}  {'  '.join(columns)}  {'pixels %':>8}"]
    rule = "-" * len(lines[0])
    for name, amount in pixels.items():
        share = f"{100 * amount / total:8.3f}"
        if amount:
            cells = [f"{_number(_class_value(values, k)[name]):>{max(6, len(t))}}" for k, t in known.items()]
            low, high = ranges.get(name) or (None, None)
            cells[1:1] = [f"{_number(low)}–{_number(high)}".center(15)] * spans
        else:
            cells = [f"{'absent from the truth':>{len('  '.join(columns))}}"]
        lines.append(f"{name:<{width}}  {'  '.join(cells)}  {share}")
    return [lines[0], rule, *lines[1:], rule]


def _class_value(values: Mapping[str, Any], key: str) -> Mapping[str, float | None]:
    found = values.get(f"per_class_{key}")
    return values["per_class_accuracy"] if found is None else found


def _mean_lines(values: Mapping[str, Any], total: int) -> list[str]:
    """Return a line a mean: name, value, interval where there is one, definition; then how much was counted."""
    means = values.get("means") or (
        {"name": "mIoU", "value": values["miou"], "definition": values["definition"]},
        {"name": "mIoU, all", "value": values["miou_all"], "definition": values["definition_all"]},
        {
            "name": "pixel accuracy",
            "value": values["pixel_accuracy"],
            "definition": "the share of pixels that are right",
        },
    )
    spans = any(mean.get("by_frame") for mean in means)
    width = max(_NAME, *(len(mean["name"]) + 1 for mean in means))
    lines = []
    for mean in means:
        bounds = mean.get("by_frame")
        text = f"{_number(bounds[0])}–{_number(bounds[1])}" if bounds else ""
        span = f"{text:<13}   " if spans else ""
        lines.append(f"{mean['name']:<{width}}{_number(mean['value'])}   {span}{mean['definition']}")
    lines.append(f"{total:,} pixels; {values.get('resolution') or _NATIVE}")
    if spans:
        lines.append("Intervals are 95 %, frames drawn again; those by scene stand in evaluation.json and the report.")
    return lines


def _number(value: float | None) -> str:
    return "n/a   " if value is None else f"{value:.4f}"
