"""Where an evaluation went well and where not, in a report: scenes, bands of the picture, the worst frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from desertseg.errors import plural
from desertseg.report.document import (
    Cell,
    Column,
    Gallery,
    Picture,
    Prose,
    Section,
    Table,
    count,
    number,
    share,
)
from desertseg.report.record import OLD, EvaluationRecord


def scenes(record: EvaluationRecord) -> Section | str:
    """Return the scores of each scene, or why they are not there."""
    found: Mapping[str, Mapping[str, Any]] | None = record.values.get("scenes")
    if not found:
        return OLD if found is None else "the frames belong to no scene"
    rows = [(name or "(no name)", count(scene.get("frames")), scene) for name, scene in found.items()]
    table = compare_rows(record, "Scores of each scene", ("scene", "frames"), rows)
    note = "A scene is one drive, by the names of the files. IoU of each class: darker is better, a dash has none."
    return Section("Scenes", "scenes", [table, Prose(note)])


def bands(record: EvaluationRecord) -> Section | str:
    """Return the scores of the bands of the picture, or why they are not there."""
    found: Sequence[Mapping[str, Any]] | None = record.values.get("bands")
    if not found:
        return OLD
    rows = [(band["name"], share(band["pixels"] / max(1, record.total)), band) for band in found]
    table = compare_rows(record, "Scores of each band of the picture", ("band", "of all pixels"), rows)
    note = "The lowest band is what is in front of the wheels; the top one is mostly sky, and easy."
    return Section("Bands of the picture", "bands", [table, Prose(note)])


def compare_rows(
    record: EvaluationRecord,
    caption: str,
    titles: tuple[str, str],
    rows: Sequence[tuple[str, str, Mapping[str, Any]]],
) -> Table:
    """Return a table with mean IoU, accuracy and the IoU of every class in columns, for each (name, size, scores)."""
    columns = [Column(titles[0], number=False), Column(titles[1]), Column("mean IoU"), Column("pixel accuracy")]
    columns += [Column(name, color=record.colors[name]) for name in record.names]
    lines = []
    for name, size, scores in rows:
        cells = [Cell(name), Cell(size), Cell(number(scores.get("miou")), strong=True)]
        cells.append(Cell(number(scores.get("pixel_accuracy"))))
        for each in record.names:
            value = (scores.get("per_class_iou") or {}).get(each)
            cells.append(Cell(number(value), heat=value))
        lines.append(cells)
    return Table(caption, columns, lines, dense=True)


def worst_frames(record: EvaluationRecord) -> Section | str:
    """Return the worst frames of each weak class, or why they are not there."""
    found: Mapping[str, Sequence[Mapping[str, Any]]] | None = record.values.get("worst")
    if not found:
        return OLD if found is None else "no class is weak, or no frame holds one"
    galleries = [_gallery(record, name, frames) for name, frames in found.items() if frames]
    if not galleries:
        return "no frame holds a weak class"
    return Section("Worst frames of the weak classes", "worst", galleries)


def _gallery(record: EvaluationRecord, name: str, frames: Sequence[Mapping[str, Any]]) -> Gallery:
    pictures = []
    for frame in frames:
        path = _inside(record.folder, frame.get("picture"))
        scene = f", scene {frame['scene']}" if frame.get("scene") else ""
        wrong = f", {plural(int(frame['wrong']), 'pixel')} wrong" if frame.get("wrong") is not None else ""
        size = f"{plural(int(frame['pixels']), 'pixel')} of it{wrong}"
        caption = f"{frame['frame']}{scene}: IoU {number(frame['iou'])}, {size}"
        if path:
            alt = f"Frame {frame['frame']} with truth and prediction; IoU of {name}: {number(frame['iou'])}"
            pictures.append(Picture(path, alt, caption))
    iou = record.values["per_class_iou"].get(name)
    pixels = share(record.pixels.get(name, 0) / max(1, record.total))
    note = f"IoU {number(iou)} over all frames, {pixels} of the pixels; the {plural(len(frames), 'frame')} that cost it"
    return Gallery(name, f"{note} most, the worst first.", pictures, record.colors.get(name))


def _inside(folder: Path, picture: Any) -> Path | None:
    """Return the path of a picture, None where it is not a file below the folder."""
    if not picture:
        return None
    path = (folder / str(picture)).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
