"""What stands in the report of a run or an evaluation, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from desertseg.errors import plural
from desertseg.report import classes, places, provenance, trust
from desertseg.report.document import (
    Block,
    Cell,
    Column,
    Document,
    Facts,
    Part,
    Prose,
    Section,
    Table,
    count,
    interval,
    number,
    sentence,
)
from desertseg.report.record import EvaluationRecord, RunRecord
from desertseg.report.training import training, training_headline


def compose(record: RunRecord | EvaluationRecord, run: RunRecord | None = None) -> Document:
    """Return the report of a run with its evaluations, or of one evaluation.

    Args:
        record: what to report.
        run: the run that an evaluation belongs to, for its training and recipe.
    """
    if isinstance(record, EvaluationRecord):
        parts = [_evaluation(record, run, "scores")]
        model = str(record.values.get("model") or record.values.get("predictions") or "masks")
        title, subtitle = f"Scores on {record.title}", f"{model} on {plural(record.values.get('frames') or 0, 'frame')}"
        lead: list[Block] = [classes.headline(record)]
    else:
        run, several = record, len(record.evaluations) > 1
        parts = [_evaluation(e, run, f"scores-{i}") for i, e in enumerate(record.evaluations, 1)]
        name = record.folder.absolute().name
        title, subtitle = f"Run {name}", _made_of(record)
        lead = [classes.headline(e) for e in record.evaluations[:1]] or _unscored(record)
        if several:
            lead += [Prose(f"The headline is {record.evaluations[0].title}. All evaluations of this run:")]
            lead.append(_overview(record.evaluations, parts))
    part = training(run) if run else None
    return Document(title, subtitle, [*parts, *([part] if part else [])], lead)


def _made_of(run: RunRecord) -> str:
    model = run.recipe.get("model", {})
    network = " ".join(str(model[k]) for k in ("name", "backbone") if model.get(k))
    data = str(run.environment.get("data", ""))
    trained = f"trained on {Path(data).name}" if data else ""
    started = str(run.environment.get("started", ""))[:10]
    return ", ".join(text for text in (network, trained, started) if text)


def _unscored(run: RunRecord) -> list[Block]:
    found = training_headline(run)
    note = "This run has not been evaluated: desertseg evaluate --model best.keras --data DIR measures it."
    return [found, Prose(note)] if found else [Prose(note)]


def _overview(evaluations: Sequence[EvaluationRecord], parts: Sequence[Part]) -> Table:
    columns = [Column("data and split", number=False), Column("frames"), Column("mean IoU"), Column("95 % by frame")]
    columns += [Column("classes present"), Column("pixel accuracy")]
    rows = []
    for record, part in zip(evaluations, parts, strict=True):
        mean = next((m for m in classes.list_means(record.values) if m["key"] == classes.MIOU), {})
        present = sum(pixels > 0 for pixels in record.pixels.values())
        rows.append(
            [
                Cell(record.title, target=part.key),
                Cell(count(record.values.get("frames"))),
                Cell(number(record.values[classes.MIOU], 4), strong=True),
                Cell(interval(mean.get("by_frame"), 4)),
                Cell(f"{present} of {len(record.names)}"),
                Cell(number(record.values.get(classes.ACCURACY), 4)),
            ]
        )
    return Table("Evaluations", columns, rows)


def _evaluation(record: EvaluationRecord, run: RunRecord | None, key: str) -> Part:
    found: list[tuple[str, Section | str | None]] = [
        ("Left out", provenance.failures(record)),
        ("Classes", classes.per_class(record)),
        ("Means", classes.means(record)),
        ("Obstacles called drivable", trust.safety(record)),
        ("Confusion", classes.confusion(record)),
        ("Confused pairs", classes.confused_pairs(record)),
        ("Scenes", places.scenes(record)),
        ("Bands of the picture", places.bands(record)),
        ("Contours", trust.boundary(record)),
        ("Calibration", trust.calibration(record)),
        ("Handling a desert without some classes", trust.handling(record)),
        ("Worst frames", places.worst_frames(record)),
        ("Data", provenance.data(record, run)),
        ("How it was scored", provenance.scoring(record)),
    ]
    sections = [section for _, section in found if isinstance(section, Section)]
    missing = [(title, reason) for title, reason in found if isinstance(reason, str)]
    if missing:
        reasons = dict.fromkeys(reason for _, reason in missing)
        facts = [(sentence(r), ", ".join(title for title, reason in missing if reason == r)) for r in reasons]
        sections.append(Section("Not in this report", "missing", [Facts("What is missing, and why", facts)]))
    lead = () if key in ("scores", "scores-1") else (classes.headline(record),)
    return Part("Scores" if key == "scores" else f"Scores on {record.title}", key, sections, lead)
