"""The folder of a gap: numbers, pictures, a page, and the least familiar frames with what the model answers there."""

from __future__ import annotations

import csv
import io
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from desertseg.data import Frame, load_evaluation
from desertseg.data.letterbox import letterbox, resize_labels
from desertseg.engine.checkpoint import fitting
from desertseg.engine.inference import Inference
from desertseg.engine.survey import Survey, answer_frames
from desertseg.errors import UserError
from desertseg.files import prepare_folder, replacing, write_text
from desertseg.labels import IGNORE_INDEX
from desertseg.models.familiarity import Familiarity
from desertseg.report.gap import APPEARANCE, FRAMES, SHEET, compose_gap, draw_appearance, draw_frames
from desertseg.report.markdown import render_markdown
from desertseg.report.page import render_page
from desertseg.report.sheet import Column, Tile, draw_sheet

_SHOWN, _PER_ROW = 6, 4  # of the least familiar frames; pictures side by side
_WIDTH = 400  # of a picture in the sheet
_QUALITY = 90


def write_gap(
    out: Path,
    values: dict[str, Any],
    inference: Inference,
    known: Familiarity,
    home: Survey,
    away: Survey,
    *,
    overwrite: bool = False,
) -> None:
    """Write gap.json, gap.html, gap.md, frames.csv, distances.png, appearance.png and least_familiar.jpg.

    Raises:
        UserError: the folder cannot be written to.
    """
    folder = prepare_folder(out, overwrite)
    values = {**values, "command": shlex.join(sys.argv)}
    temperature = values["confidence"]["temperature"]
    near, far = home.distances(known), away.distances(known)
    sure, unsure = home.confidences(temperature), away.confidences(temperature)
    try:
        with replacing(folder / FRAMES) as path:
            draw_frames(path, near, far, known.threshold, sure, unsure)
        with replacing(folder / APPEARANCE) as path:
            draw_appearance(path, values["appearance"])
        usual = home.frames[int(np.argsort(near, kind="stable")[len(near) // 2])]
        worst = [(away.frames[k], float(far[k])) for k in np.argsort(-far, kind="stable")[:_SHOWN]]
        with replacing(folder / SHEET) as path:
            sheet = _draw_frames(inference, (usual, float(np.median(near))), worst)
            content = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
            path.write_bytes(content.tobytes())
        _write_frames(folder / "frames.csv", {"source": (home, near, sure), "target": (away, far, unsure)}, known)
        write_text(folder / "gap.json", json.dumps(values, indent=1, allow_nan=False) + "\n")
        document = compose_gap(values, folder, inference.segmenter.labels)
        write_text(folder / "gap.md", render_markdown(document, folder))
        write_text(folder / "gap.html", render_page(document))
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}; choose another --out") from error


def _write_frames(path: Path, deserts: dict[str, tuple[Survey, np.ndarray, np.ndarray]], known: Familiarity) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["desert", "frame", "scene", "distance", "unfamiliar", "confidence"])
    for name, (found, distances, confidences) in deserts.items():
        for frame, distance, confidence in zip(found.frames, distances, confidences, strict=True):
            outside = int(distance > known.threshold)
            writer.writerow([name, frame.name, frame.scene, f"{distance:.4f}", outside, f"{confidence:.4f}"])
    write_text(path, text.getvalue())


def _draw_frames(inference: Inference, usual: tuple[Frame, float], worst: list[tuple[Frame, float]]) -> np.ndarray:
    """Return the sheet, uint8 RGB: an ordinary frame of the source at the left, beside it the unfamiliar ones."""
    columns, size = [], None
    for k, (frame, distance) in enumerate([usual, *worst]):
        image, labels = _answer(inference, frame)
        height = max(1, round(_WIDTH * image.shape[0] / image.shape[1]))
        size = size or (height, _WIDTH)
        shown, box = letterbox(image, size)
        laid = np.full(size, IGNORE_INDEX, np.uint8)
        laid[box.slices] = resize_labels(labels, (box.height, box.width))
        where = f"source: {frame.name}" if k == 0 else frame.name
        columns.append(Column(where, [Tile(shown, laid, (f"distance {distance:.2f}",))]))
    return draw_sheet(columns, inference.segmenter.labels, width=_WIDTH, per_row=_PER_ROW)


def _answer(inference: Inference, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame and its labels as the model answers, at native size."""
    segmenter = inference.segmenter
    assert segmenter.size is not None
    batch = next(
        load_evaluation([frame], segmenter.size, batch_size=1, labels=None, resize=fitting(segmenter), keep_native=True)
    )
    return batch.natives[0], np.asarray(answer_frames(inference, batch)["labels"][0])
