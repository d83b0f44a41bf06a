"""The evaluation folder: numbers as JSON, CSV and text, pictures, and a page that holds them all."""

from __future__ import annotations

import csv
import io
import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from desertseg.data import read_image, resize_image, resize_labels
from desertseg.engine.history import plain
from desertseg.engine.report import write_report
from desertseg.engine.run import describe_environment
from desertseg.engine.scoring import Scoring
from desertseg.engine.worst import WorstFrame, weak_classes
from desertseg.errors import UserError
from desertseg.files import replacing, write_text
from desertseg.metrics import Scores
from desertseg.report import (
    draw_class_metrics,
    draw_comparison,
    draw_confusion,
    draw_per_class,
    draw_reliability,
    metrics_text,
)

_PICTURE_WIDTH = 1000  # of four panels; a report holds tens of them


def check_other_data(folder: Path, source: str, overwrite: bool) -> None:
    """Refuse to bury an evaluation of other data; a repeated one replaces its own files.

    Raises:
        UserError: the folder holds one of other data, or an evaluation.json that cannot be read.
    """
    path = folder / "evaluation.json"
    if overwrite or not path.exists():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("data")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); choose another --out, or --overwrite to replace it"
        ) from error
    if found != source:
        raise UserError(f"{folder} holds the evaluation of {found}; choose another --out, or --overwrite to replace it")


def write_evaluation(folder: Path, scoring: Scoring, details: dict[str, Any]) -> dict[str, Any]:
    """Return `details` with what is added here, having written everything that an evaluation folder holds.

    Raises:
        OSError: the folder cannot be written to; what it held before is as it was, file by file.
    """
    scores, labels = scoring.scores, scoring.labels
    details = {
        **details,
        "images_per_second": plain(details["images_per_second"]),
        "worst": _draw_worst(folder, scoring),
        "command": shlex.join(["desertseg", *sys.argv[1:]]) if Path(sys.argv[0]).name == "desertseg" else None,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": describe_environment(),
    }
    write_text(folder / "per_class.csv", _class_table(scores))
    write_text(folder / "frames.csv", _frame_table(scoring))
    with replacing(folder / "frames.npz") as path:
        np.savez_compressed(
            path,
            names=np.array(scoring.names),
            scenes=np.array(scoring.scenes),
            confusion=np.stack(scoring.confusions),
            unanswered=np.stack(scoring.unanswered),
        )
    with replacing(folder / "confusion_matrix.png") as path:
        draw_confusion(path, scores.confusion, labels.names)
    with replacing(folder / "per_class_iou.png") as path:
        draw_per_class(path, scores, labels)
    with replacing(folder / "per_class_metrics.png") as path:
        draw_class_metrics(path, scores)
    if details["calibration"]:
        with replacing(folder / "calibration.png") as path:
            draw_reliability(path, details["calibration"])
    lines = metrics_text(details, dict(zip(labels.names, scores.pixels.tolist(), strict=True)))
    write_text(folder / "evaluation_metrics.txt", "\n".join(lines) + "\n")
    write_text(folder / "evaluation.json", json.dumps(details, indent=1, allow_nan=False) + "\n")
    write_report(folder)
    return details


def _class_table(scores: Scores) -> str:
    columns = {
        "iou": scores.per_class_iou,
        "dice": scores.per_class_dice,
        "precision": scores.per_class_precision,
        "recall": scores.per_class_recall,
        "accuracy": scores.per_class_accuracy,
    }
    rows: list[list[Any]] = [["class", *columns, "pixels"]]
    for i, name in enumerate(scores.names or ()):
        rows.append([name, *(f"{values[i]:.6f}" for values in columns.values()), scores.pixels[i]])
    return _csv(rows)


def _frame_table(scoring: Scoring) -> str:
    rows: list[list[Any]] = [["frame", "scene", "miou", "pixel_accuracy", "pixels", *scoring.labels.names]]
    counts = zip(scoring.names, scoring.scenes, scoring.confusions, scoring.unanswered, strict=True)
    for name, scene, confusion, unanswered in counts:
        scores = Scores(confusion, scoring.labels.names, unanswered)
        per_class = (f"{v:.4f}" if p else "" for v, p in zip(scores.per_class_iou, scores.pixels, strict=True))
        values = f"{scores.miou:.4f}", f"{scores.pixel_accuracy:.4f}", int(scores.pixels.sum())
        rows.append([name, scene, *values, *per_class])
    return _csv(rows)


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _draw_worst(folder: Path, scoring: Scoring) -> dict[str, list[dict[str, Any]]]:
    """Draw the worst frames of the weak classes beside their truth; returns what they are, and where.

    Pictures of an evaluation that stood here before are taken away: they would pass for ones of this.
    """
    scores, found = scoring.scores, {}
    for name, kept in scoring.worst.of(weak_classes(scores.per_class_iou, scores.present)).items():
        found[name] = [
            {
                "frame": worst.frame.name,
                "scene": worst.frame.scene,
                "iou": worst.iou,
                "wrong": worst.wrong,
                "pixels": worst.pixels,
                "picture": _draw_frame(folder, name, worst, scoring),
            }
            for worst in kept
        ]
    drawn = {folder / str(frame["picture"]) for frames in found.values() for frame in frames}
    for old in set(folder.glob("worst/*/*.jpg")) - drawn:
        old.unlink()
    return found


def _draw_frame(folder: Path, name: str, worst: WorstFrame, scoring: Scoring) -> str:
    relative = Path("worst") / name.replace("/", "-").replace(" ", "_") / f"{worst.frame.name.replace('/', '-')}.jpg"
    prediction = worst.prediction
    size = (prediction.shape[0], prediction.shape[1])  # the truth's, or the training size where it was scored there
    truth = resize_labels(scoring.read_truth(str(worst.frame.mask)), size)
    image = resize_image(read_image(worst.frame.image), size)
    drawn = draw_comparison(image, truth, prediction, scoring.labels)
    scale = min(1.0, _PICTURE_WIDTH / drawn.shape[1])
    drawn = cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    with replacing(folder / relative) as path:
        path.write_bytes(cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
    return relative.as_posix()
