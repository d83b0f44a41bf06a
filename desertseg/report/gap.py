"""The report on a desert that is not the one of the training: a few lines, two plots, a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.errors import plural
from desertseg.labels import LabelMap
from desertseg.report.document import (
    NONE,
    Block,
    Cell,
    Code,
    Column,
    Document,
    Facts,
    Headline,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    number,
    percent,
    share,
)
from desertseg.report.figure import GREY, new_figure, tidy

FRAMES, APPEARANCE, SHEET = "distances.png", "appearance.png", "least_familiar.jpg"
_HOME, _AWAY = "#2b6f9e", "#c4783c"
_SHIFTED = 1.0  # standard deviations from which a statistic is told of

Values = Mapping[str, Any]


def gap_lines(values: Values) -> list[str]:
    """Return the gap as lines for a terminal."""
    distance, confidence, measured = values["distance"], values["confidence"], values["measured"]
    rows = [
        ("", "source", "target"),
        ("frames", *(f"{values['frames'][k]:,}" for k in ("source", "target"))),
        ("distance, median (training about 1)", *(number(distance[k]["median"], 2) for k in ("source", "target"))),
        (
            f"frames beyond {distance['threshold']:.2f}",
            *(percent(distance[k]["outside"]) for k in ("source", "target")),
        ),
        ("mean confidence", *(number(confidence[k]) for k in ("source", "target"))),
        ("expected mIoU over all classes", number(values["expected"]["source"]["miou_all"]), expected(values)),
    ]
    if measured["source"] or measured["target"]:
        found = (number(measured[k] and measured[k]["miou_all"]) for k in ("source", "target"))
        rows.append(("... and what it really is", *found))
    width = max(len(row[0]) for row in rows)
    lines = [f"{name:<{width}}  {home:>12}  {away:>14}" for name, home, away in rows]
    return [*lines, "", verdict(values), shifts(values), *quality(values), *values["notes"]]


def expected(values: Values, key: str = "miou_all", digits: int = 3) -> str:
    """Return what is expected of the target as "0.21–0.27", or as one number where only one is known."""
    found = [values["expected"][kind][key] for kind in ("believed", "shifted") if values["expected"][kind]]
    low, high = number(min(found), digits), number(max(found), digits)
    return low if low == high else f"{low}–{high}"


def verdict(values: Values) -> str:
    """Return in a sentence how far the target is."""
    distance, count = values["distance"], values["frames"]["target"]
    outside = round(distance["target"]["outside"] * count)
    usual = distance["source"]["median"]
    times = distance["target"]["median"] / usual if usual else float("nan")
    apart = f"a frame of it lies farther than one of the source in {percent(distance['separation'], 0)} of all pairs"
    if outside == 0:
        return f"Familiar: none of {plural(count, 'frame')} lies outside of what the model was trained on; {apart}."
    what = "Far" if outside > count / 2 else "Partly unfamiliar"
    return (
        f"{what}: {outside} of {plural(count, 'frame')} {'lies' if outside == 1 else 'lie'} outside of what the model "
        f"was trained on, at {times:.1f} times the usual distance; {apart}."
    )


def quality(values: Values) -> list[str]:
    """Return in a sentence how good the estimate was, where the target has masks."""
    right = values["measured"]["target"]
    if not right:
        return []
    found = [values["expected"][kind]["miou_all"] for kind in ("believed", "shifted") if values["expected"][kind]]
    low, high, true = min(found), max(found), right["miou_all"]
    off = "within what was expected"
    if not low <= true <= high:
        off = (
            f"{low - true:.3f} below what was expected" if true < low else f"{true - high:.3f} above what was expected"
        )
    return [f"The target has masks: its mIoU over all classes is {true:.3f}, {off}."]


def shifts(values: Values) -> str:
    """Return in a sentence in which colour and texture differ."""
    found = [row for row in values["appearance"] if row["shift"] is not None and abs(row["shift"]) >= _SHIFTED]
    found.sort(key=lambda row: -abs(row["shift"]))
    if not found:
        return "Colour and texture are those of the source, within one standard deviation of its frames."
    told = ", ".join(f"{row['name']} {row['shift']:+.1f}" for row in found[:5])
    return f"Colour and texture, in standard deviations of the source's frames: {told}."


def draw_frames(path: Path, near: np.ndarray, far: np.ndarray, threshold: float, sure: np.ndarray, unsure: np.ndarray):
    """Write histograms of the frames' distances and confidences, source and target, as a PNG.

    Args:
        path: the file.
        near, far: distances of the source's and the target's frames.
        threshold: beyond which a frame is unfamiliar.
        sure, unsure: mean confidences of the same frames.
    """
    figure = new_figure(9, 3.4)
    left, right = figure.subplots(1, 2)
    both = np.concatenate([near, far, [threshold]])
    edges = np.geomspace(max(both.min(), 1e-3) * 0.97, both.max() * 1.03, 31)
    _draw_histograms(left, near, far, edges)
    left.axvline(threshold, color="black", linestyle="--", linewidth=1, label="unfamiliar beyond")
    left.set_xscale("log")
    ticks = [t for t in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if edges[0] <= t <= edges[-1]]
    left.set_xticks(ticks, [f"{t:g}" for t in ticks])
    left.minorticks_off()
    left.set_xlabel("distance from the training frames (of one of them about 1)")
    left.set_ylabel("% of the frames")
    confidences = np.concatenate([sure, unsure])
    _draw_histograms(right, sure, unsure, np.linspace(confidences.min() - 0.01, confidences.max() + 0.01, 26))
    right.set_xlabel("mean confidence of a frame's pixels")
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8.5)
        tidy(axes)
    figure.savefig(path, dpi=110)


def _draw_histograms(axes: Any, home: np.ndarray, away: np.ndarray, edges: np.ndarray) -> None:
    for values, color, name in ((home, _HOME, "source"), (away, _AWAY, "target")):
        weights = np.full(len(values), 100 / len(values))
        axes.hist(
            values, edges, weights=weights, color=color, alpha=0.65, label=f"{name}, {plural(len(values), 'frame')}"
        )


def draw_appearance(path: Path, rows: Sequence[Values]) -> None:
    """Write how far colour and texture of the target are from the source's, as bars in a PNG.

    Args:
        path: the file.
        rows: "name", and "shift" in standard deviations of the source's frames.
    """
    figure = new_figure(7, 0.32 * len(rows) + 1)
    axes = figure.subplots()
    shift = np.array([row["shift"] or 0.0 for row in rows])
    places = np.arange(len(rows))
    axes.axvspan(-1, 1, color="#eeeeee", zorder=0)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.barh(
        places, shift, color=np.where(np.abs(shift) < _SHIFTED, "#9db7c9", _AWAY), edgecolor="#333333", linewidth=0.6
    )
    axes.set_yticks(places, [row["name"] for row in rows])
    axes.invert_yaxis()
    most = max(2.0, float(np.abs(shift).max()) * 1.08)
    axes.set_xlim(-most, most)
    axes.set_xlabel("target less source, in standard deviations of the source's frames")
    tidy(axes)
    figure.savefig(path, dpi=110)


def compose_gap(values: Values, folder: Path, labels: LabelMap) -> Document:
    """Return the page of a gap; its pictures lie in `folder`."""
    sections = [
        Section("Distance and confidence", "distance", _distance(values, folder)),
        Section("Classes", "classes", [_classes(values, labels), Prose(_CLASSES)]),
        Section("Colour and texture", "appearance", _appearance(values, folder)),
        Section("The least familiar frames", "frames", _least(values, folder)),
        Section("How it was made", "how", _how(values)),
    ]
    title = f"From {Path(values['source']).name} to {Path(values['target']).name}"
    notes: list[Block] = [Prose(note) for note in values["notes"]]
    said = [verdict(values), shifts(values), *quality(values)]
    lead: list[Block] = [_headline(values), *map(Prose, said), *notes]
    return Document(title, f"What {values['model']} is worth in another desert", [Part("Gap", "gap", sections)], lead)


_CLASSES = (
    "Shares of the pixels: in the training masks, as the model answers in the source and in the target, and as its "
    "probabilities say after their shift of class shares was estimated (EM). IoU: measured in the source, expected in "
    "the target by the model's confidence and after the shift, and measured there where it has masks."
)


def _headline(values: Values) -> Headline:
    measured, distance, count = values["measured"], values["distance"], values["frames"]["target"]
    outside = f"{round(distance['target']['outside'] * count)} of {count}"
    asides = [
        (expected(values, "accuracy", 2), "expected pixel accuracy", "from the same two"),
        (percent(distance["target"]["outside"], 0), "of the frames are unfamiliar", outside),
    ]
    for kind in ("source", "target"):
        if measured[kind]:
            note = f"pixel accuracy {number(measured[kind]['accuracy'])}"
            asides.insert(0, (number(measured[kind]["miou_all"]), f"mIoU in the {kind}, measured", note))
    return Headline(expected(values, digits=2), "mIoU to expect", values["expected"]["definition"], asides=asides)


def _distance(values: Values, folder: Path) -> list[Block]:
    distance, confidence = values["distance"], values["confidence"]
    rows = [
        ("distance, median", *(number(distance[k]["median"], 2) for k in ("source", "target"))),
        (f"beyond {distance['threshold']:.2f}", *(percent(distance[k]["outside"]) for k in ("source", "target"))),
        ("mean confidence", *(number(confidence[k]) for k in ("source", "target"))),
    ]
    for key, name in (("miou_all", "mIoU over all classes"), ("accuracy", "pixel accuracy")):
        rows.append((f"{name}, expected", number(values["expected"]["source"][key]), expected(values, key)))
        rows.append(
            (f"{name}, measured", *(number((values["measured"][k] or {}).get(key)) for k in ("source", "target")))
        )
    columns = [Column("", number=False), Column("source"), Column("target")]
    table = Table("Source and target", columns, [[Cell(text) for text in row] for row in rows])
    text = (
        f"The distance is a Mahalanobis distance of the backbone's pooled deepest features from those of "
        f"{plural(values['frames']['training'], 'training frame')}; of held-out frames about one in a hundred lies "
        f"beyond {distance['threshold']:.2f}. Told apart by distance alone, a target frame lies farther than a source "
        f"frame in {percent(distance['separation'])} of all pairs; by confidence, it is less sure in "
        f"{percent(confidence['separation'])}."
    )
    alt = "Histograms of the distances and of the confidences of the frames of source and target"
    return [table, Prose(text), Picture(folder / FRAMES, alt)]


def _classes(values: Values, labels: LabelMap) -> Table:
    kinds = {"training": "training", "source": "source", "target": "target", "estimated": "estimated", "truth": "truth"}
    scores = {
        "iou_source": "IoU, source",
        "iou_believed": "expected",
        "iou_shifted": "... after the shift",
        "iou_true": "measured",
    }
    rows = []
    for row, color in zip(values["classes"], labels.colors, strict=True):
        cells = [Cell(row["name"], color=(int(color[0]), int(color[1]), int(color[2])))]
        cells += [Cell(share(row[key])) for key in kinds]
        cells += [Cell(number(row[key]), heat=row[key]) for key in scores]
        rows.append(cells)
    columns = [Column("class", number=False), *(Column(t) for t in (*kinds.values(), *scores.values()))]
    return Table("Shares of the pixels, and IoU", columns, rows, dense=True)


def _appearance(values: Values, folder: Path) -> list[Block]:
    rows = []
    for row in values["appearance"]:
        shift = row["shift"]
        text = NONE if shift is None else f"{shift:+.2f}"
        numbers = (Cell(number(row[key])) for key in ("source", "target", "spread"))
        rows.append([Cell(row["name"]), *numbers, Cell(text, strong=abs(shift or 0) >= _SHIFTED)])
    columns = [Column("", number=False), *(Column(t) for t in ("source", "target", "deviation of frames", "shift"))]
    alt = "Bars: the shift of each statistic of colour and texture in standard deviations of the source's frames"
    return [Picture(folder / APPEARANCE, alt), Table("Colour and texture, intensities in 0..1", columns, rows)]


def _least(values: Values, folder: Path) -> list[Block]:
    rows = [
        [
            Cell(f["frame"]),
            Cell(number(f["distance"], 2)),
            Cell(number(f["confidence"])),
            Cell("yes" if f["outside"] else ""),
        ]
        for f in values["least_familiar"]
    ]
    columns = [
        Column("frame", number=False),
        Column("distance"),
        Column("confidence"),
        Column("unfamiliar", number=False),
    ]
    caption = (
        "Left an ordinary frame of the source, then the target's least familiar ones, with what the model answers."
    )
    alt = "The least familiar frames of the target with the model's answers below them"
    return [Picture(folder / SHEET, alt, caption), Table("The ten least familiar frames", columns, rows)]


def _how(values: Values) -> list[Block]:
    splits = {k: values[f"{k}_split"] or "all frames" for k in ("source", "target")}
    rows = [
        ("model", values["model"]),
        *((k, f"{values[k]} ({splits[k]}, {plural(values['frames'][k], 'frame')})") for k in ("source", "target")),
        ("seen at", "x".join(map(str, values["size"]))),
        ("label map", values["labels"]),
        ("temperature of the confidence", number(values["confidence"]["temperature"])),
    ]
    return [Facts("How it was made", rows), Code("Command", values.get("command", ""))]
