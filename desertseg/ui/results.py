"""What an answer's numbers say, as blocks of a report: the page and the saved case show the same ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jinja2
import numpy as np

from desertseg.report.document import NONE, Bar, Cell, Color, Column, Facts, Headline, Table, number, percent, share
from desertseg.ui.answer import Answer, Score
from desertseg.ui.viewer import read_static

_HALF = "share of these classes whose IoU is at least 0.5"


def headline(answer: Answer) -> Headline:
    """Return the numbers of an answer: the mean IoU first where there is a truth, else the time."""
    timing = answer.timing
    took = f"{timing.milliseconds:,.0f} ms" if timing.milliseconds >= 10 else f"{timing.milliseconds:.1f} ms"
    if answer.score is None:
        return Headline(took, "one answer", _describe_timing(answer))
    miou, half = (answer.score.means[key] for key in ("miou", "map50"))
    pixels = int(answer.score.scores.pixels.sum())
    return Headline(
        number(_known(miou.value)),
        "mIoU",
        f"{miou.definition}, of this frame alone",
        asides=(
            (percent(_known(answer.score.scores.pixel_accuracy)), "pixel accuracy", f"of {pixels:,} pixels"),
            (number(_known(half.value)), "mAP50", _HALF),
            (took, "one answer", _describe_timing(answer)),
        ),
    )


def class_table(answer: Answer) -> Table:
    """Return a row for each class that the frame or its truth shows: share, IoU, mean confidence."""
    score = answer.score
    columns = [Column("class", number=False), Column("share"), Column("confidence")]
    if score:
        columns[2:2] = [Column("truth"), Column("IoU"), Column("")]
    rows = [_row(answer, score, index) for index in answer.order]
    if answer.unknown:
        rows.append([Cell("unknown"), Cell(_short(answer.unknown)), *[Cell(NONE)] * (len(columns) - 2)])
    return Table(f"Classes of {answer.given.name} by {answer.model}", columns, rows, dense=True)


def facts(answer: Answer) -> Facts:
    """Return how the answer was made."""
    options, timing = answer.options, answer.timing
    threshold = "none" if options.confidence is None else f"below {options.confidence:.2f} is unknown"
    rows = [
        ("model", answer.model),
        ("label map", f"{answer.labels.name}, {answer.labels.num_classes} classes"),
        ("frame", f"{answer.given.name}, {answer.native_size[1]}x{answer.native_size[0]}, {answer.given.origin}"),
        ("truth", answer.given.mask_name if answer.score else "none"),
        ("network saw", f"{timing.size[0]}x{timing.size[1]}, {timing.views} view{'s' * (timing.views > 1)}"),
        ("suppressed", ", ".join(options.suppress) or "none"),
        ("confidence", threshold),
        ("time", f"{timing.milliseconds:.1f} ms, {_describe_timing(answer)}"),
        ("first answer", f"{timing.first:.1f} s, compiling included where this size and these options were new"),
    ]
    return Facts("How this was made", rows)


@dataclass(frozen=True)
class _Row:
    """A class of the chart: bars in per cent of the longest, each with what it says."""

    name: str
    color: Color
    bars: Sequence[tuple[str, str, float, str]]  # kind, who, length, text


def draw_chart(answers: Sequence[Answer]) -> str:
    """Return a bar chart as HTML: the share of each class in the answers, and in the truth where there is one."""
    shares: dict[str, dict[str, float]] = {}
    colors: dict[str, Color] = {}
    series: list[tuple[str, str]] = []
    for place, answer in enumerate(answers):
        kind = "answer" if place == 0 else "second"
        series.append((kind, answer.model))
        truth = _truth_shares(answer)
        for index in answer.order:
            cls = answer.labels.classes[index]
            colors.setdefault(cls.name, cls.color)
            row = shares.setdefault(cls.name, {})
            row[kind] = float(answer.shares[index])
            if truth is not None:
                row["truth"] = float(truth[index])
    if any("truth" in row for row in shares.values()):
        series.append(("truth", "truth"))
    longest = max((value for row in shares.values() for value in row.values()), default=1.0) or 1.0
    rows = [
        _Row(
            name,
            colors[name],
            [(k, who, round(100 * row.get(k, 0.0) / longest, 2), _short(row.get(k, 0.0))) for k, who in series],
        )
        for name, row in sorted(shares.items(), key=lambda item: -max(item[1].values()))
    ]
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(read_static("chart.html.j2")).render(rows=rows, series=series)


def _row(answer: Answer, score: Score | None, index: int) -> list[Cell]:
    cls = answer.labels.classes[index]
    row = [
        Cell(cls.name, color=cls.color),
        Cell(_short(float(answer.shares[index]))),
        Cell(percent(_known(answer.confidences[index]), 0)),
    ]
    if score:
        truth, iou = _truth_shares(answer), _known(score.scores.per_class_iou[index])
        there = bool(score.scores.present[index])
        bar = Bar(iou, cls.color) if there and iou is not None else None
        in_truth = Cell(_short(float(truth[index]) if truth is not None and there else None))
        row[2:2] = [in_truth, Cell(number(iou) if there else NONE), Cell(bar=bar)]
    return row


def _truth_shares(answer: Answer) -> np.ndarray | None:
    """Return each class's share of the pixels that the truth does not ignore."""
    if answer.score is None:
        return None
    pixels = answer.score.scores.pixels
    return pixels / max(1, int(pixels.sum()))


def _describe_timing(answer: Answer) -> str:
    timing = answer.timing
    runs = ("the first run, compiling included", "one warm run")[min(timing.runs, 1)]
    runs = f"median of {timing.runs} warm runs" if timing.runs > 1 else runs
    return f"{runs}, from memory to memory; reading and drawing are not in it"


def _short(value: float | None) -> str:
    """Return a share with one decimal, or with as many as a rare class needs."""
    return percent(value) if value is not None and value >= 0.001 else share(value)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
