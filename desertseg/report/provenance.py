"""Where an evaluation's numbers come from, in a report: the data, the command, the machine, and what failed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from desertseg.errors import plural
from desertseg.report.brief import describe_mapping
from desertseg.report.document import (
    NONE,
    Bar,
    Block,
    Cell,
    Code,
    Column,
    Facts,
    Prose,
    Section,
    Table,
    count,
    share,
)
from desertseg.report.record import EvaluationRecord, RunRecord


def data(record: EvaluationRecord, run: RunRecord | None) -> Section:
    """Return what was scored: frames, scenes, the classes' shares in truth and prediction, and who trained on it."""
    values = record.values
    frames = values.get("frames")
    facts = [
        ("data", str(values.get("data", NONE))),
        ("split", str(values.get("split") or "all frames")),
        ("frames", count(frames)),
        ("pixels", f"{count(record.total)} that are not ignored"),
    ]
    if values.get("scenes"):
        sizes = [f"{name or '(no name)'} ({scene.get('frames')})" for name, scene in values["scenes"].items()]
        facts.append(("scenes (frames)", ", ".join(sizes)))
    if any(record.unanswered):
        facts.append(("without an answer", f"{plural(sum(record.unanswered), 'pixel')}, counted as wrong"))
    blocks: list[Block] = [Facts("What was scored", facts), _shares(record)]
    if run and run.splits and record.frames:
        blocks.insert(1, Prose(_kinship(record, run)))
    return Section("Data", "data", blocks)


def _kinship(record: EvaluationRecord, run: RunRecord) -> str:
    """Say how many of the scored frames the model was trained or chosen on, by their names."""
    scored = set(record.frames)
    learnt, chosen = (len(scored & set(run.splits.get(split, ()))) for split in ("train", "val"))
    of = f"of the {plural(len(scored), 'scored frame')}"
    text = f"By their names, {learnt:,} {of} were trained on, and by {chosen:,} the epoch was chosen that was kept."
    if learnt:
        return f"{text} Scores on frames that were trained on say nothing about a new place."
    if chosen:
        return f"{text} A score on those is a little too good; a place that nobody saw is the better test."
    return text


def _shares(record: EvaluationRecord) -> Table:
    matrix = record.values["confusion"]
    total, answered = max(1, record.total), max(1, sum(map(sum, matrix)))
    labels = record.label_map
    columns = [Column("class", number=False)]
    columns += [Column("raw ids"), Column("cost")] if labels else []
    columns += [Column("truth"), Column("", number=False), Column("predicted"), Column("predicted / truth")]
    rows = []
    for index, name in enumerate(record.names):
        truth = record.pixels[name] / total
        predicted = sum(row[index] for row in matrix) / answered
        cells = [Cell(name, color=record.colors[name])]
        if labels:
            cost = getattr(labels.classes[index], "cost", None)
            cells += [Cell(", ".join(map(str, labels.classes[index].ids))), Cell(NONE if cost is None else str(cost))]
        ratio = f"{predicted / truth:.2f}" if truth else NONE
        cells += [Cell(share(truth)), Cell(bar=Bar(truth, record.colors[name])), Cell(share(predicted)), Cell(ratio)]
        rows.append(cells)
    return Table("Share of the pixels that are not ignored", columns, rows)


def scoring(record: EvaluationRecord) -> Section:
    """Return how the scores were made: command, model, size, machine."""
    values = record.values
    views = values.get("views") or {}
    scales = ", ".join(map(str, views.get("scales", ()))) or NONE
    facts = [
        ("date", moment(values.get("date"))),
        ("model", values.get("model")),
        ("predictions", values.get("predictions")),
        ("index offset", values.get("index_offset")),
        ("label map", values.get("labels")),
        ("correspondence", describe_mapping(values["mapping"]) if values.get("mapping") else None),
        ("size that the network sees", _size(values.get("size"))),
        ("scored at", values.get("resolution") or values.get("at")),
        ("views", f"scales {scales}{', each with its mirror' if views.get('flip') else ''}" if views else None),
        ("runtime of the exported file", values.get("runtime")),
        ("backend and device", " on ".join(str(values[k]) for k in ("backend", "device") if values.get(k))),
        ("speed", f"{values['images_per_second']:.1f} images a second" if values.get("images_per_second") else None),
        ("time", f"{values['seconds']:.1f} s" if values.get("seconds") else None),
    ]
    blocks: list[Block] = [Facts("How it was scored", keep(facts))]
    if values.get("command"):
        blocks.append(Code("Command", shell_line(values["command"])))
    if values.get("environment"):
        blocks.append(Facts("Environment", flat(values["environment"]), titled=True))
    return Section("How it was scored", "scoring", blocks)


def failures(record: EvaluationRecord) -> Section | None:
    """Return the files that could not be used, None if there are none."""
    found = record.values.get("failures")
    if not found:
        return None
    rows = [[Cell(str(file)), Cell(str(reason))] for file, reason in found]
    columns = [Column("file", number=False), Column("why", number=False)]
    table = Table("Files that were left out", columns, rows)
    return Section(f"Left out: {plural(len(rows), 'file')}", "failures", [table])


def keep(facts: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Return the facts that are known."""
    return [(name, str(value)) for name, value in facts if value not in (None, "", [])]


def moment(date: Any) -> str:
    """Return a date as people write it, from ISO 8601."""
    return str(date or "").replace("T", " ").replace("+00:00", " UTC")


def shell_line(command: Any) -> str:
    """Return a command as it can be typed, from a list of words or from a line."""
    return command if isinstance(command, str) else shlex.join(map(str, command))


def flat(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return nested values as one list of facts; the command stands elsewhere."""
    facts: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            facts.append((str(key), ", ".join(f"{k} {v}" for k, v in value.items())))
        elif key != "command":
            text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            facts.append((str(key), moment(text) if key == "started" else text))
    return keep(facts)


def _size(size: Any) -> str | None:
    return f"{size[0]} x {size[1]} (height x width)" if size else None
