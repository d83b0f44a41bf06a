"""Keeping a case: a folder with a Markdown report, its pictures and the raw-id masks; and single files to download."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from desertseg.data import read_image, read_mask, write_png
from desertseg.engine.outputs import Labelled, OutputFolder
from desertseg.errors import UserError
from desertseg.files import replacing, write_text
from desertseg.report.comparison import draw_comparison
from desertseg.report.document import Block, Document, Part, Picture, Prose, Section
from desertseg.report.markdown import render_markdown
from desertseg.report.overlay import draw_overlay
from desertseg.ui.answer import Answer
from desertseg.ui.results import class_table, facts, headline

FILES = {"masks": "Raw-id mask", "masks_color": "Colours", "overlays": "Overlay"}  # what can be downloaded
_REPORT = "case.md"
_WIDEST = 1600  # pixels of a picture in the report
_QUALITY = 88
_TRIES = 1000  # folders of one name


def write_files(answers: Sequence[Answer], kind: str, folder: Path) -> list[Path]:
    """Return files of the frame as `predict` writes them, one an answer, in folders named after the models.

    Args:
        answers: of one frame.
        kind: "masks", "masks_color" or "overlays".
        folder: to write into.

    Raises:
        UserError: no such kind, or a file cannot be written.
    """
    if kind not in FILES:
        raise UserError(f"there is no file '{kind}'; there are {', '.join(FILES)}")
    paths = []
    for answer, place in zip(answers, _name_models(answers), strict=True):
        output = OutputFolder(folder / place, (kind,), answer.labels)
        image = read_image(answer.given.image) if kind == "overlays" else np.empty((0, 0, 3), np.uint8)
        name = _plain(answer.given.stem)
        output.write(Labelled(name, image, answer.prediction))
        paths.append(output.path(kind, name))
    return paths


def save_case(answers: Sequence[Answer], note: str, folder: Path) -> Path:
    """Return the Markdown report of a frame with one answer or two, in a new folder below `folder`.

    Args:
        answers: of one frame.
        note: what the user says about it, or nothing.
        folder: holds a folder for each case.

    Raises:
        UserError: there is no answer, or the folder cannot be written.
    """
    if not answers:
        raise UserError("there is no case to save yet; give a frame first")
    given = answers[0].given
    try:
        case = _make_folder(folder, _plain(given.stem))
        image = read_image(given.image)
        _write_picture(case / "frame.jpg", image)
        parts = [
            _describe(answer, name, case, image) for answer, name in zip(answers, _name_models(answers), strict=True)
        ]
        lead: list[Block] = [Prose(note.strip())] if note.strip() else []
        lead.append(Picture(case / "frame.jpg", f"the frame {given.name}"))
        subtitle = f"{given.name}, {given.origin}, labelled by {' and '.join(answer.model for answer in answers)}"
        document = Document(f"Case {case.name}", subtitle, parts, lead)
        write_text(case / _REPORT, render_markdown(document, case))
    except OSError as error:
        raise UserError(f"the case cannot be saved in {folder}: {error.strerror or error}; free some space") from error
    return case / _REPORT


def _describe(answer: Answer, place: str, case: Path, image: np.ndarray) -> Part:
    """Return what the report says of one answer, whose pictures and mask are written."""
    prediction = answer.prediction
    write_png(case / place / "mask.png", answer.labels.decode(prediction))
    _write_picture(case / place / "overlay.jpg", draw_overlay(image, prediction, answer.labels))
    pictures = [
        Picture(case / place / "overlay.jpg", f"overlay by {answer.model}", "The frame in its classes' colours.")
    ]
    truth = _read_truth(answer)
    if truth is not None:
        _write_picture(case / place / "comparison.jpg", draw_comparison(image, truth, prediction, answer.labels))
        caption = "Frame, truth, prediction and errors."
        pictures.append(
            Picture(case / place / "comparison.jpg", f"comparison of {answer.model} with the truth", caption)
        )
    blocks: list[Block] = [headline(answer), *(Prose(remark) for remark in answer.remarks)]
    made: list[Block] = [facts(answer), Prose("The labels as raw ids, 16 bits, stand in mask.png beside the pictures.")]
    sections = [
        Section("Pictures", "pictures", pictures),
        Section("Classes", "classes", [class_table(answer)]),
        Section("How it was made", "made", made),
    ]
    return Part(answer.model, _plain(answer.model), sections, blocks)


def _read_truth(answer: Answer) -> np.ndarray | None:
    if answer.score is None or answer.given.mask is None:
        return None
    return read_mask(answer.given.mask, answer.labels)


def _write_picture(path: Path, image: np.ndarray) -> None:
    scale = min(1.0, _WIDEST / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    with replacing(path) as temporary:
        temporary.write_bytes(content.tobytes())


def _make_folder(folder: Path, name: str) -> Path:
    """Return a new folder of that name, with a number where there is one already."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, _TRIES):
        case = folder / (name if number == 1 else f"{name}-{number}")
        try:
            case.mkdir()
        except FileExistsError:
            continue
        return case
    raise UserError(f"{folder} holds {_TRIES - 1} cases of {name} already; move some of them away")


def _name_models(answers: Sequence[Answer]) -> list[str]:
    """Return a folder's name for each answer, each once."""
    names = [_plain(answer.model.removesuffix(".keras")) for answer in answers]
    return names if len(set(names)) == len(names) else [f"{name}-{i}" for i, name in enumerate(names, 1)]


def _plain(text: str) -> str:
    """Return a text as a name of a file: letters, digits, dots and dashes, no folder of anybody's choosing."""
    return re.sub(r"[^\w.-]+", "-", text).strip(".-")[:80] or "frame"
