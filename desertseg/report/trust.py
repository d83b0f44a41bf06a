"""How far an evaluation's answers can be trusted, in a report: contours, confidence, costly mistakes, other priors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from desertseg.report.document import (
    Block,
    Cell,
    Column,
    Facts,
    Picture,
    Prose,
    Section,
    Table,
    count,
    number,
    percent,
    sentence,
)
from desertseg.report.places import compare_rows
from desertseg.report.record import OLD, EvaluationRecord


def boundary(record: EvaluationRecord) -> Section | str:
    """Return the boundary scores of each class, or why they are not there."""
    found: Mapping[str, Any] | None = record.values.get("boundary")
    if not found:
        return OLD if "boundary" not in record.values else "not measured"
    keys = [(kind, str(t)) for kind in ("iou", "f") for t in found["tolerances"]]
    titles = {"iou": "boundary IoU", "f": "boundary F"}
    columns = [Column("class", number=False), *(Column(f"{titles[kind]}, {t} px") for kind, t in keys)]
    rows = [[Cell("mean", strong=True), *(Cell(number(found[k][t]["mean"]), strong=True) for k, t in keys)]]
    for name in record.names:
        values = [found[kind][t]["per_class"].get(name) for kind, t in keys]
        rows.append([Cell(name, color=record.colors[name]), *(Cell(number(v), heat=v) for v in values)])
    table = Table("Boundary IoU and boundary F of each class", columns, rows)
    return Section("Contours", "boundary", [Prose(sentence(found["definition"])), table])


def calibration(record: EvaluationRecord) -> Section | str:
    """Return what confidence is worth, or why that is not there."""
    found: Mapping[str, Any] | None = record.values.get("calibration")
    if not found:
        return OLD if "calibration" not in record.values else "masks carry no confidence; a model's own answers do"
    rows = [
        ("expected calibration error", number(found.get("ece"), 4)),
        ("fitted temperature", number(found.get("temperature"))),
        ("... calibration error with it", number(found.get("ece_scaled"), 4)),
        ("negative log-likelihood", number(found.get("nll"), 4)),
        ("... with the temperature", number(found.get("nll_scaled"), 4)),
        ("pixels that the temperature was fitted on", count(found.get("sampled_pixels"))),
    ]
    blocks: list[Block] = [Prose(sentence(found.get("definition", ""))), Facts("Confidence", rows)]
    path = record.folder / "calibration.png"
    if path.is_file():
        alt = (
            f"Reliability diagram: accuracy against confidence in bins; calibration error {number(found.get('ece'), 4)}"
        )
        caption = "Reliability: bars on the diagonal mean that a confidence of 80 % is right in 80 % of the pixels"
        blocks.append(Picture(path, alt, caption, small=True))
    temperature = found.get("temperature")
    if temperature is not None:
        word = "overconfident" if temperature > 1 else "too modest"
        blocks.append(
            Prose(f"A temperature {'above' if temperature > 1 else 'below'} 1 says that the model is {word}.")
        )
    return Section("Calibration", "calibration", blocks)


def safety(record: EvaluationRecord) -> Section | str:
    """Return the mistakes that a vehicle would pay for, or why they are not there."""
    found: Mapping[str, Any] | None = record.values.get("safety")
    if not found:
        return OLD if "safety" not in record.values else "the label map gives no traversability costs"
    facts = [
        ("false-safe rate", f"{percent(found['false_safe_rate'], 2)} of the obstacles' pixels are called drivable"),
        ("pixels", f"{count(found['false_safe_pixels'])} of {count(found['obstacle_pixels'])}"),
        ("false-alarm rate", f"{percent(found.get('false_alarm_rate'), 2)} of the drivable pixels are called obstacle"),
        ("obstacles", ", ".join(found["obstacles"])),
        ("drivable", ", ".join(found["drivable"])),
    ]
    columns = [Column("obstacle", number=False), Column("called drivable"), Column("pixels in the truth")]
    rows = [
        [
            Cell(name, color=record.colors.get(name)),
            Cell(percent(rate, 2), heat=rate, alarm=True),
            Cell(count(record.pixels.get(name))),
        ]
        for name, rate in found["per_class"].items()
    ]
    blocks: list[Block] = [Prose(sentence(found["definition"])), Facts("Costly mistakes", facts)]
    return Section("Obstacles called drivable", "safety", [*blocks, Table("False-safe rate by class", columns, rows)])


def handling(record: EvaluationRecord) -> Section | str:
    """Return what suppressing classes or estimating priors changes, or why that is not there."""
    found: Sequence[Mapping[str, Any]] | None = record.values.get("handling")
    if not found:
        return OLD if "handling" not in record.values else "no class was suppressed and no prior was estimated"
    base = found[0].get("miou")
    rows = []
    for way in found:
        change = None if base is None or way.get("miou") is None else way["miou"] - base
        rows.append((way["name"], "" if way is found[0] or change is None else f"{change:+.4f}", way))
    table = compare_rows(
        record, "The same frames scored with each handling, by one denominator", ("handling", "change"), rows
    )
    notes = [(way["name"], way["note"]) for way in found if way.get("note")]
    return Section("Handling a desert without some classes", "handling", [table, Facts("What was done", notes)])
