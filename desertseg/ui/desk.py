"""What the page's buttons do, without the page: it takes what a user gives and returns answers and sentences."""

from __future__ import annotations

import html
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from desertseg.data import write_png
from desertseg.data.synthetic import draw_frame
from desertseg.engine.stopwatch import is_out_of_memory
from desertseg.errors import UserError
from desertseg.report.document import sentence
from desertseg.report.page import render_blocks
from desertseg.ui.album import Album
from desertseg.ui.answer import Answer, answer_frame
from desertseg.ui.case import save_case, write_files
from desertseg.ui.clip import Clip, label_clip
from desertseg.ui.given import Given, Options
from desertseg.ui.results import class_table, draw_chart, headline
from desertseg.ui.shelf import Shelf

_T = TypeVar("_T")
_SEED = 7  # of the procedural frames that the page offers


@dataclass(frozen=True)
class Told:
    """What came of a wish, and the sentences to say of it.

    Attributes:
        answers: one a model that could answer.
        problems: what went wrong.
        remarks: what is to be known.
    """

    answers: tuple[Answer, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Desk:
    """What stands behind a page; several users share it, and nothing of theirs stays in it.

    Args:
        shelf: the models.
        album: the data folder, where one was given.
        cases: the folder for saved cases.
        scratch: a folder for files that are handed to the browser.
    """

    def __init__(self, shelf: Shelf, album: Album | None, cases: Path, scratch: Path) -> None:
        self.shelf, self.album, self.cases, self.scratch = shelf, album, cases, scratch

    @property
    def welcome(self) -> str:
        """Which model serves, for the head of the page."""
        if self.shelf.is_shipped:
            return (
                f"No model was given, so {self.shelf.names[0]} answers, which ships with desertseg: a small network "
                "that has seen procedural deserts alone. Bring your own: desertseg ui --model runs/a/best.keras"
            )
        count = len(self.shelf.names)
        return f"{count} model{'s' * (count > 1)}: {', '.join(self.shelf.names)}"

    def classes(self, models: Sequence[str]) -> list[str]:
        """Return the names of the classes of some models, as far as they can be opened, in their order."""
        found: dict[str, None] = {}
        for model in models:
            try:
                found |= dict.fromkeys(self.shelf.open(model).labels.names)
            except UserError:  # said when it is to answer
                continue
        return list(found)

    def answer(self, given: Given, models: Sequence[str], options: Options) -> Told:
        """Return the answer of each model to a frame; what one cannot do does not keep the other from it."""
        answers, problems, remarks = [], [], []
        for model in dict.fromkeys(models):
            try:
                found = self._guard(partial(self._answer, model, given, options))
            except UserError as error:
                problems.append(sentence(str(error)))
                continue
            answers.append(found)
            remarks += [remark if len(models) < 2 else f"{model}: {remark}" for remark in found.remarks]
        return Told(tuple(answers), tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(remarks)))

    def _answer(self, model: str, given: Given, options: Options) -> Answer:
        return answer_frame(self.shelf.open(model), given, options)

    def label_video(self, video: Path, model: str, options: Options) -> Clip:
        """Return the overlay video of an uploaded one.

        Raises:
            UserError: it cannot be labelled.
        """
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        return self._guard(lambda: label_clip(self.shelf.open(model), video, video.name, options, folder))

    def draw_desert(self, index: int) -> Given:
        """Return a procedural frame with its truth, for whoever has none at hand."""
        image, mask, name = draw_frame(_SEED, index)
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        write_png(folder / f"{name}.png", image)
        write_png(folder / f"{name}_mask.png", mask)
        image_name, mask_name = f"{name}.png", f"{name}_mask.png"
        return Given(folder / image_name, image_name, folder / mask_name, mask_name, "a procedural desert")

    def file_of(self, answers: Sequence[Answer], kind: str) -> Path:
        """Return a file to download: of one answer as it is, of two in an archive.

        Raises:
            UserError: there is no answer, or the file cannot be written.
        """
        if not answers:
            raise UserError("there is nothing to download yet; give a frame first")
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        paths = write_files(answers, kind, folder)
        if len(paths) == 1:
            return paths[0]
        archive = folder / f"{paths[0].stem}-{kind}.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for path in paths:
                file.write(path, path.relative_to(folder))
        return archive

    def save(self, answers: Sequence[Answer], note: str) -> str:
        """Return a sentence that says where a case was saved.

        Raises:
            UserError: there is none, or it cannot be.
        """
        try:
            return f"Saved as {save_case(answers, note, self.cases)}."
        except UserError as error:  # an upload may be gone after some hours
            raise UserError(answers[0].given.call(error) if answers else str(error)) from error

    def _guard(self, work: Callable[[], _T]) -> _T:
        """Return what some work returns, alone on the device; a lack of memory becomes a sentence."""
        try:
            with self.shelf.device:
                return work()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError("this machine's memory is too small for that; choose a smaller size or frame") from error


def show_results(answers: Sequence[Answer]) -> str:
    """Return the numbers of an answer or two as HTML: side by side, then the chart of both."""
    if not answers:
        return ""
    columns = []
    for answer in answers:
        title = f"<h3>{html.escape(answer.model)}</h3>" if len(answers) > 1 else ""
        blocks = render_blocks([headline(answer), class_table(answer)])
        columns.append(f'<section class="result">{title}{blocks}</section>')
    return f'<div class="results">{"".join(columns)}{draw_chart(answers)}</div>'
