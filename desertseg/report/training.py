"""A training in a report: what it reached, its curves, its recipe, and how it was run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import median
from typing import Any

from desertseg.errors import plural
from desertseg.report.document import (
    Block,
    Code,
    Facts,
    Headline,
    Part,
    Picture,
    Section,
    count,
    number,
    percent,
)
from desertseg.report.provenance import flat, keep, shell_line
from desertseg.report.record import RunRecord

_PICTURES = (
    ("curves.png", "Loss, mean IoU, overfit gap and learning rate by epoch", "By epoch; the dot marks the best one"),
    ("class_iou.png", "IoU of each class on the validation frames by epoch", "IoU of each class by epoch"),
)


def training(run: RunRecord) -> Part | None:
    """Return the part about the training, None where the folder holds nothing of it."""
    sections = [s for s in (_course(run), _recipe(run), _origin(run)) if s]
    return Part("The training", "training", sections) if sections else None


def training_headline(run: RunRecord) -> Headline | None:
    """Return the best validation score of a run that nobody has evaluated yet, None where there is none."""
    best = _best(run)
    if not best:
        return None
    epochs = f"epoch {best['epoch']} of {len(run.history)}"
    text = f"on the validation frames, after {epochs}, the best one: these frames chose it, so it is a little too good"
    return Headline(number(_reached(best), 4), "mean IoU while training", text)


def _best(run: RunRecord) -> Mapping[str, Any] | None:
    """Return the history row of the epoch that was kept: highest where a score was watched, lowest where a loss was."""
    rows = [row for row in run.history if row.get("monitor") is not None]
    watched = str(run.recipe.get("train", {}).get("monitor", "miou"))
    sign = -1 if watched == "loss" else 1
    return max(rows, key=lambda row: sign * row["monitor"], default=None)


def _reached(row: Mapping[str, Any]) -> float | None:
    """Return the validation mean IoU of the weights that the epoch was judged on."""
    return row.get("ema_val_miou") if row.get("weights") == "ema" else row.get("val_miou")


def _course(run: RunRecord) -> Section | None:
    if not run.history:
        return None
    best, rates = _best(run), [r["learning_rate"] for r in run.history if r.get("learning_rate") is not None]
    facts: list[tuple[str, Any]] = [("epochs", len(run.history))]
    if best:
        averaged = best.get("weights") == "ema"
        facts += [
            ("best epoch", best["epoch"]),
            ("... its validation mean IoU", number(_reached(best), 4)),
            ("... its weights", "moving average" if averaged else "as trained"),
            ("... its training mean IoU", f"{number(best.get('miou'), 4)}, on frames as augmented, at training size"),
        ]
    if rates:
        facts.append(("learning rate", f"{max(rates):.3g} at most, {rates[-1]:.3g} at the end"))
    facts += [
        ("time", _duration(sum(r.get("seconds") or 0 for r in run.history))),
        ("speed", f"{_middle(run, 'images_per_second'):.1f} images a second in the middle epoch"),
        ("waiting for data", f"{percent(_middle(run, 'data_wait'))} of the time in the middle epoch"),
    ]
    blocks: list[Block] = [Facts("The course", keep(facts))]
    for name, alt, caption in _PICTURES:
        path = run.folder / "plots" / name
        if path.is_file():
            blocks.append(Picture(path, alt, caption))
    return Section("Curves", "curves", blocks)


def _middle(run: RunRecord, key: str) -> float:
    return median([row[key] for row in run.history if row.get(key) is not None] or [0.0])


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    shown = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
    return f"{shown} in training steps"


def _recipe(run: RunRecord) -> Section | None:
    if not run.recipe:
        return None
    model, data = run.recipe.get("model", {}), run.recipe.get("data", {})
    about = run.recipe.get("about", {})
    network = " ".join(str(model[k]) for k in ("name", "backbone") if model.get(k))
    facts = keep([("network", network), ("label map", data.get("labels")), ("made from", about.get("description"))])
    lines = []
    for section, values in run.recipe.items():
        if isinstance(values, Mapping) and section != "about":
            lines += [f"[{section}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items() if v != {}), ""]
    return Section(
        "Recipe", "recipe", [Facts("In short", facts), Code("The whole recipe", "\n".join(lines), columns=3)]
    )


def _origin(run: RunRecord) -> Section | None:
    environment = run.environment
    blocks: list[Block] = []
    if run.splits:
        frames = [(split, plural(len(found), "frame")) for split, found in run.splits.items()]
        blocks.append(Facts("Frames", frames))
    if environment.get("command"):
        blocks.append(Code("Command", shell_line(environment["command"])))
    if environment:
        blocks.append(Facts("Environment", flat(environment), titled=True))
    size = run.folder / "best.keras"
    if size.is_file():
        blocks.append(Facts("Model file", titled=True, rows=[("best.keras", f"{count(size.stat().st_size)} bytes")]))
    return Section("How it was run", "origin", blocks) if blocks else None
