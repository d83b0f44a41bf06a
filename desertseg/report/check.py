"""What a check of a data set found, as lines for a terminal and as a page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from desertseg.errors import plural
from desertseg.report.document import (
    NONE,
    Block,
    Cell,
    Column,
    Document,
    Facts,
    Gallery,
    Headline,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    share,
)

_INDENT = " " * 9  # below a severity
_FILES = 3  # of a finding, on a terminal
_MARKS = {"error": "cannot be used, or scores would be false", "warning": "should not be used as it is", "note": ""}

Values = Mapping[str, Any]


def check_lines(values: Values, width: int = 100) -> list[str]:
    """Return what was found as lines: what there is, each finding with its fix and its first files, and the sum.

    Args:
        values: what --json writes.
        width: of the terminal, in characters.
    """
    lines = [made_of(values), ""]
    for finding in values["findings"]:
        lines += _finding_lines(finding, width)
    return [*lines, verdict(values)]


def made_of(values: Values) -> str:
    """Return "1,300 frames (train 1,200, val 100) of 480x270"."""
    splits = ", ".join(f"{split} {count:,}" for split, count in values["splits"].items() if split)
    sizes = list(values["sizes"])
    of = f" of {sizes[0]}" if len(sizes) == 1 else f" of {len(sizes)} sizes" if sizes else ""
    return f"{plural(values['frames'], 'frame')}{f' ({splits})' if splits else ''}{of}"


def verdict(values: Values) -> str:
    """Return in a few words how it stands."""
    notes = sum(f["severity"] == "note" for f in values["findings"])
    told = [
        plural(n, word)
        for n, word in ((values["errors"], "error"), (values["warnings"], "warning"), (notes, "note"))
        if n
    ]
    if not values["errors"] and not values["warnings"]:
        return f"Clean{f', with {told[0]}' if told else ''}."
    return f"{', '.join(told)}."


def _finding_lines(finding: Values, width: int) -> list[str]:
    severity = f"{finding['severity']:<{len(_INDENT)}}"
    lines = _fold(finding["message"], width, severity)
    lines += _fold(finding["fix"], width, f"{_INDENT}-> ")
    for path, what in finding["files"][:_FILES]:
        lines += [f"{_INDENT}{path}{f': {what}' if what else ''}"]
    more = finding["count"] - _FILES
    if finding["files"] and more > 0:
        lines.append(f"{_INDENT}and {more:,} more")
    return [*lines, ""]


def _fold(text: str, width: int, first: str) -> list[str]:
    wrapper = textwrap.TextWrapper(max(40, width), first, " " * len(first), break_long_words=False)
    wrapper.break_on_hyphens = False
    return wrapper.wrap(text)


def compose_check(values: Values, title: str) -> Document:
    """Return the page of a check.

    Args:
        values: what --json writes.
        title: the data set's name.
    """
    parts = [_findings_part(values)]
    if values["classes"] and any(values["classes"].values()):
        parts.append(Part("What was read", "read", [Section("Classes", "classes", [_class_table(values)])]))
    facts = [("folder", values["data"]), ("label map", values["labels"])]
    facts += [("split " + split, plural(count, "frame")) for split, count in values["splits"].items() if split]
    facts += [(f"of {size}", plural(count, "image")) for size, count in list(values["sizes"].items())[:8]]
    return Document(f"Check of {title}", made_of(values), parts, [_headline(values), Facts("The data", facts)])


def _headline(values: Values) -> Headline:
    found = {s: sum(f["severity"] == s for f in values["findings"]) for s in _MARKS}
    worst = next((s for s in _MARKS if found[s] and s != "note"), "")
    asides = [(f"{found[s]}", s if found[s] == 1 else f"{s}s", _MARKS[s]) for s in _MARKS]
    asides[2] = (*asides[2][:2], "nothing that must be mended")
    if not worst:
        return Headline("Clean", "ready to train on and to score", "nothing was found that must be mended", (), asides)
    name = worst if found[worst] == 1 else f"{worst}s"
    return Headline(str(found[worst]), name, f"the data {_MARKS[worst]}", (), asides)


def _findings_part(values: Values) -> Part:
    findings = values["findings"]
    lead: list[Block] = []
    if findings:
        rows = [
            [
                Cell(f["message"], note=f["fix"], strong=f["severity"] == "error", target=_key(i, f)),
                Cell(f["severity"], heat={"error": 1.0, "warning": 0.5}.get(f["severity"], 0.0), alarm=True),
                Cell(f"{f['count']:,}"),
                Cell("by --fix" if f["fixable"] else NONE),
            ]
            for i, f in enumerate(findings)
        ]
        columns = [
            Column("Finding, and what to do", False),
            Column("Severity", False),
            Column("How many"),
            Column("Mended", False),
        ]
        lead.append(Table("Everything that was found, errors first.", columns, rows))
    else:
        lead.append(Prose("Nothing was found."))
    sections = [_section(i, f, values) for i, f in enumerate(findings) if f["files"]]
    return Part("Findings", "findings", sections, lead)


def _key(number: int, finding: Values) -> str:
    return f"finding-{number}" if finding["files"] else ""


def _section(number: int, finding: Values, values: Values) -> Section:
    shown = finding["files"]
    kept = f"the first {len(shown)} of {finding['count']:,}" if finding["count"] > len(shown) else f"{len(shown)}"
    told = any(what for _, what in shown)
    rows = [[Cell(path), *([Cell(what)] if told else [])] for path, what in shown]
    columns = [Column("File", False), *([Column("What", False)] if told else [])]
    blocks: list[Block] = [Prose(f"{finding['message']}. What to do: {finding['fix']}.")]
    blocks.append(Table(f"Files: {kept}.", columns, rows))
    blocks += _pairs(finding, values)
    return Section(finding["code"].replace("-", " ").capitalize(), f"finding-{number}", blocks)


def _pairs(finding: Values, values: Values) -> list[Block]:
    """Return pictures of pairs side by side, as far as they can be shown."""
    found: list[Block] = []
    for pair in values["examples"].get(finding["code"], ())[:3]:
        pictures = [Picture(Path(p), Path(p).name, Path(p).name) for p in pair if Path(p).is_file()]
        if len(pictures) == len(pair):
            found.append(Gallery(" and ".join(Path(p).stem for p in pair), "", pictures))
    return found


def _class_table(values: Values) -> Table:
    splits = list(next(iter(values["classes"].values())))
    columns = [Column("Class", False), *(Column(split or "all") for split in splits)]
    rows = [
        [Cell(name), *(Cell(share(shares[s]), heat=0.0 if shares[s] else 0.6, alarm=True) for s in splits)]
        for name, shares in values["classes"].items()
    ]
    return Table("Share of the labelled pixels; a class that a split lacks is marked.", columns, rows)
