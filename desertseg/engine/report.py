"""Making the report of a run or an evaluation: report.html and report.md, from the files in its folder alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from desertseg.engine.plots import RunPlots
from desertseg.files import replacing, write_text
from desertseg.metrics import Scores
from desertseg.report import draw_class_metrics, draw_confusion, draw_per_class, draw_reliability, metrics_text
from desertseg.report.content import compose
from desertseg.report.markdown import render_markdown
from desertseg.report.page import render_page
from desertseg.report.record import EvaluationRecord, ReportError, RunRecord, find_run, read_record

PAGE, MARKDOWN = "report.html", "report.md"


def write_report(folder: str | Path) -> Path:
    """Write report.html, one file that opens anywhere, and report.md, and return the path of the first.

    What a folder of an older version lacks and can be had from its numbers is made first: pictures, and
    evaluation_metrics.txt.

    Args:
        folder: a run folder, whose evaluations and training are then reported, or the folder of one evaluation.

    Raises:
        UserError: there is nothing to report, or the folder cannot be written to.
    """
    folder = Path(folder)
    record = read_record(folder)
    run = record if isinstance(record, RunRecord) else _run_of(folder)
    evaluations = record.evaluations if isinstance(record, RunRecord) else (record,)
    try:
        for evaluation in evaluations:
            _complete(evaluation)
        if run:
            _draw_curves(run)
        document = compose(record, run)
        write_text(folder / MARKDOWN, render_markdown(document, folder))
        write_text(folder / PAGE, render_page(document))
    except OSError as error:
        raise ReportError(f"the report of {folder} cannot be written: {error.strerror or error}") from error
    return folder / PAGE


def _run_of(folder: Path) -> RunRecord | None:
    """Return the run that an evaluation folder lies in; one that is damaged is no reason to have no report."""
    run = find_run(folder)
    try:
        found = read_record(run) if run else None
    except ReportError:
        return None
    return found if isinstance(found, RunRecord) else None


def _complete(record: EvaluationRecord) -> None:
    """Make what the folder lacks and its numbers give."""
    values, labels = record.values, record.label_map
    confusion = np.array(values["confusion"], np.int64)
    drawings: dict[str, Callable[[Path], None]] = {
        "per_class_metrics.png": lambda path: draw_class_metrics(path, values),
        "confusion_matrix.png": lambda path: draw_confusion(path, confusion, record.names),
    }
    if labels:
        drawings["per_class_iou.png"] = lambda path: draw_per_class(path, Scores(confusion, record.names), labels)
    if values.get("calibration"):
        drawings["calibration.png"] = lambda path: draw_reliability(path, values["calibration"])
    for name, draw in drawings.items():
        if not (record.folder / name).exists():
            with replacing(record.folder / name) as path:
                draw(path)
    if not (record.folder / "evaluation_metrics.txt").exists():
        text = metrics_text(values, record.pixels)
        write_text(record.folder / "evaluation_metrics.txt", "\n".join(text) + "\n")


def _draw_curves(run: RunRecord) -> None:
    """Draw the curves of a run whose pictures are gone."""
    if run.history and run.labels and not (run.folder / "plots" / "curves.png").exists():
        RunPlots(run.folder, run.labels).draw(run.history, last=True)
