"""The scores of an evaluation in a report: the headline, every mean, the classes, and what is taken for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from desertseg.errors import plural
from desertseg.report.document import (
    NONE,
    Bar,
    Block,
    Cell,
    Column,
    Headline,
    Picture,
    Prose,
    Section,
    Table,
    count,
    interval,
    number,
    percent,
    sentence,
    share,
)
from desertseg.report.record import OLD, EvaluationRecord

MIOU, ACCURACY = "miou", "pixel_accuracy"
_PLAIN = (  # of evaluations that carry no list of means
    (MIOU, "mean IoU", "definition"),
    ("miou_all", "mean IoU, all classes", "definition_all"),
    (ACCURACY, "pixel accuracy", "share of pixels predicted rightly"),
    ("mean_accuracy", "mean recall", "mean over the classes present in the truth"),
    ("dice", "mean Dice", "mean over the classes present in the truth"),
    ("frequency_weighted_iou", "frequency-weighted IoU", "IoU weighted by each class's share of the truth's pixels"),
)
_EXACT = 12  # classes up to which a confusion matrix has room for whole counts


def list_means(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return every mean of an evaluation as {"key", "name", "value", "definition", "by_frame", "by_scene"}."""
    if values.get("means"):
        return list(values["means"])
    return [
        {"key": key, "name": name, "value": values[key], "definition": values.get(definition, definition)}
        for key, name, definition in _PLAIN
        if key in values
    ]


def headline(record: EvaluationRecord) -> Headline:
    """Return the mean IoU with its definition and intervals, and the few numbers that say what it hides."""
    values = record.values
    mean: Mapping[str, Any] = next((m for m in list_means(values) if m["key"] == MIOU), {})
    drawn = (("frames drawn again", "by_frame"), ("whole scenes drawn again", "by_scene"))
    intervals = [(what, interval(mean[key], 4)) for what, key in drawn if mean.get(key)]
    definition = mean.get("definition") or values.get("definition", "")
    definition += "; scored at the training size, not at the masks' own" if values.get("at") == "input" else ""
    return Headline(number(values[MIOU], 4), "mean IoU", sentence(definition), intervals, _asides(record))


def _asides(record: EvaluationRecord) -> list[tuple[str, str, str]]:
    values = record.values
    asides = [(number(values.get(ACCURACY), 4), "pixel accuracy", "share of all pixels that are right")]
    present = {n: v for n, v in values["per_class_iou"].items() if v is not None and record.pixels[n]}
    if present:
        weakest = min(present, key=lambda n: present[n])
        asides.append((number(present[weakest]), "weakest class", f"IoU of {weakest}"))
    safety = values.get("safety")
    if safety and safety.get("false_safe_rate") is not None:
        asides.append((percent(safety["false_safe_rate"], 2), "false-safe rate", "obstacle pixels called drivable"))
    calibration = values.get("calibration")
    if calibration and calibration.get("ece") is not None:
        asides.append((number(calibration["ece"]), "calibration error", "confidence against accuracy, 0 is best"))
    boundary = values.get("boundary")
    if boundary and boundary.get("tolerances"):
        tolerance = str(boundary["tolerances"][0])
        mean = boundary["f"][tolerance]["mean"]
        asides.append((number(mean), "boundary F", f"contours within {tolerance} px"))
    return asides


def means(record: EvaluationRecord) -> Section:
    """Return every mean with its definition: which one to quote depends on whom it is compared with."""
    rows = list_means(record.values)
    frames, scenes = (any(m.get(key) for m in rows) for key in ("by_frame", "by_scene"))
    columns = [Column("mean", number=False), Column("value")]
    columns += [Column("95 % by frame")] * frames + [Column("95 % by scene")] * scenes
    columns.append(Column("what it is", number=False))
    table = []
    for mean in rows:
        main = mean["key"] == MIOU
        cells = [Cell(mean["name"], strong=main), Cell(number(mean["value"], 4), strong=main)]
        cells += [Cell(interval(mean.get("by_frame"), 4))] * frames + [Cell(interval(mean.get("by_scene"), 4))] * scenes
        table.append([*cells, Cell(mean["definition"])])
    note = "Means of the same pixels by different rules differ: compare a number only with one of its own definition."
    return Section("Every mean, and what it is", "means", [Prose(note), Table("Means", columns, table)])


def per_class(record: EvaluationRecord) -> Section:
    """Return IoU with interval, precision, recall, Dice and pixels of each class."""
    values = record.values
    ranges = values.get("class_intervals") or {}
    frames, scenes = (any((ranges.get(n) or {}).get(key) for n in record.names) for key in ("by_frame", "by_scene"))
    columns = [Column("class", number=False), Column("IoU"), Column("", number=False)]
    columns += [Column("95 % by frame")] * frames + [Column("95 % by scene")] * scenes
    columns += [Column(t) for t in ("precision", "recall", "Dice", "pixels", "share")]
    total = max(1, record.total)
    rows = []
    for name in record.names:
        own, pixels = ranges.get(name) or {}, record.pixels[name]
        iou = values["per_class_iou"][name] if pixels else None
        low, high = own.get("by_frame") or own.get("by_scene") or (None, None)
        bar = None if iou is None else Bar(iou, record.colors[name], low, high)
        cells = [_class(record, name, _absence(record, name)), Cell(number(iou), strong=True), Cell(bar=bar)]
        cells += [Cell(interval(own.get("by_frame")))] * frames + [Cell(interval(own.get("by_scene")))] * scenes
        cells += [Cell(number(values[f"per_class_{k}"][name])) for k in ("precision", "recall", "dice")]
        rows.append([*cells, Cell(count(pixels)), Cell(share(pixels / total))])
    caption = "Scores of each class, over all pixels that are not ignored"
    whisker = " Whiskers on the bars are the 95 % interval." if frames or scenes else ""
    note = f"Precision: how much of what was called the class is it. Recall: how much of the class was found.{whisker}"
    blocks: list[Block] = [Table(caption, columns, rows), Prose(note)]
    path = record.folder / "per_class_metrics.png"
    if path.is_file():
        alt = "Bars of IoU, precision, recall and Dice for each class; the numbers stand in the table above"
        blocks.append(Picture(path, alt, "Four scores of each class; the dashed line is the mean IoU"))
    return Section("Classes", "classes", blocks)


def confusion(record: EvaluationRecord) -> Section:
    """Return the confusion matrix: share of the row, and counts."""
    matrix, names = record.values["confusion"], record.names
    columns = [Column("truth ↓  predicted →", number=False), *(Column(n, color=record.colors[n]) for n in names)]
    rows = []
    for name, line in zip(names, matrix, strict=True):
        total = record.pixels[name]
        cells = [
            Cell(
                _short(100 * v / total) if total else NONE,
                _count(v, len(names)),
                heat=v / total if total else None,
                alarm=predicted != name,
            )
            for predicted, v in zip(names, line, strict=True)
        ]
        rows.append([_class(record, name, "" if total else "absent from the truth"), *cells])
    caption = "Share of the true class's pixels in %, and below it the number of pixels"
    note = "Read a row: where do the pixels of a class go? Blue: found, which is recall. Red: taken for another class."
    return Section("Confusion", "confusion", [Table(caption, columns, rows, dense=True), Prose(note)])


def confused_pairs(record: EvaluationRecord) -> Section | str:
    """Return what is most often taken for what, or why that is not there."""
    pairs: Sequence[Mapping[str, Any]] | None = record.values.get("confused_pairs")
    if pairs is None:
        return OLD
    if not pairs:
        return "no pixel was confused"
    titles = ("truth", "predicted as", "pixels", "of the true class", "of all errors")
    columns = [Column(t, number=i > 1) for i, t in enumerate(titles)]
    matrix = record.values["confusion"]
    errors = max(1, sum(map(sum, matrix)) - sum(matrix[i][i] for i in range(len(matrix))))
    rows = [
        [
            *(_class(record, p["truth"]), _class(record, p["predicted"]), Cell(count(p["pixels"]))),
            *(Cell(percent(p["share_of_truth"])), Cell(percent(p["pixels"] / errors))),
        ]
        for p in pairs
    ]
    return Section(
        "Confused pairs", "pairs", [Table(f"The {plural(len(rows), 'pair')} with the most pixels", columns, rows)]
    )


def _class(record: EvaluationRecord, name: str, note: str = "") -> Cell:
    return Cell(name, note, color=record.colors.get(name))


def _absence(record: EvaluationRecord, name: str) -> str:
    if record.pixels[name]:
        return ""
    column = record.names.index(name)
    predicted = sum(row[column] for row in record.values["confusion"])
    return f"absent from the truth; {plural(predicted, 'pixel')} predicted" if predicted else "absent from the truth"


def _short(value: float) -> str:
    """Return a percentage for a crowded table: "0" is exactly none."""
    if value == 0:
        return "0"
    return "< 0.1" if value < 0.05 else f"{value:.1f}"


def _count(value: float, classes: int) -> str:
    if classes <= _EXACT or value < 10_000:
        return count(value)
    return f"{value / 1e6:.1f} M" if value >= 1e6 else f"{value / 1e3:.0f} k"
