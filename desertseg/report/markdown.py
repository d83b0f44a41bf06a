"""A report as Markdown, for a paper's appendix or a code review: tables as text, pictures by relative links."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

from desertseg.report.document import Block, Cell, Code, Document, Facts, Gallery, Headline, Part, Picture, Prose, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")
_START = re.compile(r"^(\s*)([-+=]|\d+[.)])(?=\s|$)")


def render_markdown(document: Document, folder: Path) -> str:
    """Return a report as Markdown (GitHub's dialect); pictures are linked relative to `folder`, where it will stand."""
    lines = [f"# {_escape(document.title)}", "", _escape(document.subtitle), ""]
    for block in document.lead:
        lines += _block(block, folder)
    for part in document.parts:
        lines += _part(part, folder)
    return "\n".join(lines).rstrip() + "\n"


def _part(part: Part, folder: Path) -> list[str]:
    lines = [f"## {_escape(part.title)}", ""]
    for block in part.lead:
        lines += _block(block, folder)
    for section in part.sections:
        lines += [f"### {_escape(section.title)}", ""]
        for block in section.blocks:
            lines += _block(block, folder)
    return lines


def _block(block: Block, folder: Path) -> list[str]:
    """Return the lines of a block and an empty one."""
    match block:
        case Prose():
            return [_escape(block.text), ""]
        case Table():
            return _table(block)
        case Facts():
            title = [f"{_escape(block.caption)}:", ""] if block.titled else []
            return [*title, *(f"- {_escape(name)}: {_escape(text)}" for name, text in block.rows), ""]
        case Code():
            longest = max((len(run) for run in re.findall(r"`+", block.text)), default=0)
            fence = "`" * max(3, longest + 1)
            return [f"{_escape(block.caption)}:", "", fence, block.text.rstrip("\n"), fence, ""]
        case Picture():
            return _picture(block, folder)
        case Gallery():
            lines = [f"#### {_escape(block.title)}", "", _escape(block.note), ""]
            for picture in block.pictures:
                lines += _picture(picture, folder)
            return lines
        case Headline():
            return _headline(block)


def _headline(block: Headline) -> list[str]:
    lines = [f"**{_escape(block.name)} {_escape(block.value)}**: {_escape(block.definition)}", ""]
    lines += [f"- 95 % interval {_escape(bounds)}, {_escape(what)}" for what, bounds in block.intervals]
    lines += [f"- {_escape(name)} {_escape(value)}: {_escape(note)}" for value, name, note in block.asides]
    return [*lines, ""]


def _table(table: Table) -> list[str]:
    """Return a table with its caption above; a column of bars alone is left out, its numbers stand beside it."""
    kept = [i for i, column in enumerate(table.columns) if column.title or i == 0]
    columns = [table.columns[i] for i in kept]
    lines = [f"*{_escape(table.caption)}*", "", _row([_escape(c.title) for c in columns])]
    lines.append(_row(["---:" if c.number else ":---" for c in columns]))
    lines += [_row([_cell(row[i]) for i in kept]) for row in table.rows]
    return [*lines, ""]


def _cell(cell: Cell) -> str:
    text = _escape(cell.text) + (f" ({_escape(cell.note)})" if cell.note else "")
    return f"**{text}**" if cell.strong and cell.text else text


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _picture(picture: Picture, folder: Path) -> list[str]:
    path = quote(Path(os.path.relpath(picture.path, folder)).as_posix())
    lines = [f"![{_escape(picture.alt)}]({path})", ""]
    return [*lines, _escape(picture.caption), ""] if picture.caption else lines


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    line = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return _START.sub(r"\1\\\2", line)
