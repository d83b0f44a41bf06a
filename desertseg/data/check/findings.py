"""What a check found: findings with a fix each, and what a corrected copy would change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
_ORDER = (ERROR, WARNING, NOTE)
FILES_KEPT = 20  # of a finding; all of them are counted

DROP, UPRIGHT, STORED, RENAME = "drop", "upright", "stored", "rename"
RAW_IDS, RESIZE, SWAP = "raw ids", "resize", "swap bytes"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        severity: "error": it cannot be used, or scores would be false; "warning": it should not be used as it is;
            "note": nothing to mend.
        code: a word or two that stay the same, for programs.
        message: what was found and where.
        fix: what to do.
        files: (path below the data set's own folder, what is wrong with it) of the first of them.
        count: of all files, pairs or classes that it is about.
        fixable: whether a corrected copy mends it.
    """

    severity: str
    code: str
    message: str
    fix: str
    files: tuple[tuple[str, str], ...] = ()
    count: int = 1
    fixable: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**vars(self), "files": [list(pair) for pair in self.files]}


@dataclass(frozen=True)
class Repair:
    """What a corrected copy does with one file; several for one file are done together, in the order below.

    Attributes:
        kind: DROP leaves out an image with its mask; UPRIGHT turns an image by its EXIF; STORED keeps its pixels and
            drops the EXIF; RAW_IDS writes a mask as one channel of ids; SWAP exchanges the bytes of its ids; RESIZE
            gives it its image's size; RENAME gives it the name `to`.
        path: the file.
        why: in a few words.
        to: the new name, of RENAME.
    """

    kind: str
    path: Path
    why: str
    to: str = ""


@dataclass(frozen=True)
class Report:
    """What `check_dataset` returns.

    Attributes:
        data: the folder.
        labels: the name of the label map.
        findings: errors first.
        splits: frames of each split; "" where there are none.
        sizes: "960x540" -> frames.
        classes: class -> split -> share of the labelled pixels.
        repairs: what a corrected copy would change.
        examples: findings' code -> pairs of image files worth a look.
        frames: how many were read.
    """

    data: Path
    labels: str
    findings: tuple[Finding, ...]
    splits: dict[str, int]
    sizes: dict[str, int] = field(default_factory=dict)
    classes: dict[str, dict[str, float]] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()
    examples: dict[str, tuple[tuple[Path, ...], ...]] = field(default_factory=dict)
    frames: int = 0

    @property
    def errors(self) -> int:
        return sum(f.severity == ERROR for f in self.findings)

    @property
    def warnings(self) -> int:
        return sum(f.severity == WARNING for f in self.findings)

    @property
    def exit_code(self) -> int:
        """0 clean, 1 warnings, 2 errors."""
        return 2 if self.errors else 1 if self.warnings else 0

    def to_dict(self) -> dict[str, Any]:
        """Return what --json writes."""
        return {
            "data": str(self.data),
            "labels": self.labels,
            "frames": self.frames,
            "errors": self.errors,
            "warnings": self.warnings,
            "exit_code": self.exit_code,
            "splits": self.splits,
            "sizes": self.sizes,
            "classes": self.classes,
            "findings": [f.to_dict() for f in self.findings],
            "repairs": [{"kind": r.kind, "file": str(r.path), "why": r.why, "to": r.to} for r in self.repairs],
            "examples": {code: [[str(p) for p in pair] for pair in pairs] for code, pairs in self.examples.items()},
        }


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return errors first, then warnings, then notes; within each in the order found."""
    return tuple(sorted(findings, key=lambda f: _ORDER.index(f.severity)))


class Files:
    """Counts files and keeps the first few of them, so that memory does not grow with what is wrong."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[tuple[str, str]] = []

    def add(self, path: str | Path, what: str = "") -> None:
        self.count += 1
        if len(self.first) < FILES_KEPT:
            self.first.append((str(path), what))

    def merge(self, other: Files, what: str | None = None) -> None:
        """Add all of the other's files, with `what` in place of what was said of them."""
        self.count += other.count
        self.first += [(path, told if what is None else what) for path, told in other.first]
        del self.first[FILES_KEPT:]

    def __bool__(self) -> bool:
        return self.count > 0

    def finding(self, severity: str, code: str, message: str, fix: str, *, fixable: bool = False) -> list[Finding]:
        """Return the finding about these files, none where there are no files."""
        if not self:
            return []
        return [Finding(severity, code, message, fix, tuple(self.first), self.count, fixable)]
