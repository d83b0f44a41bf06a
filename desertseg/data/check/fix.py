"""A corrected copy of a data set: what can be mended is, what cannot be used is left out; the original stays."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from desertseg.damage import swap_bytes
from desertseg.data.check.findings import DROP, RENAME, RESIZE, STORED, SWAP, UPRIGHT, Repair, Report
from desertseg.data.check.gather import Gathered
from desertseg.data.errors import DataError
from desertseg.data.frame import Frame
from desertseg.data.letterbox import resize_labels
from desertseg.data.read import as_gray, image_size, read_image, read_mask, read_stored, write_png
from desertseg.labels import LabelMap

LOG = "check-fixes.txt"
_LISTS = (".txt", ".lst", ".csv")
_MOST_TEXT = 1 << 24  # bytes of a file beside the frames that is copied


@dataclass(frozen=True)
class Fixed:
    """What `fix_dataset` wrote: the folder, frames kept and left out, files that differ from the original."""

    out: Path
    frames: int
    left_out: int
    rewritten: int


def fix_dataset(
    found: Gathered,
    report: Report,
    labels: LabelMap,
    out: str | Path,
    *,
    progress: Callable[[int], None] | None = None,
) -> Fixed:
    """Write a corrected copy of a data set and return what it holds.

    Files that are right are copied byte by byte, below `out` as they lay below the data set's own folder. Every change
    is listed in `check-fixes.txt`. The folder is made under another name and renamed at the end: it is there whole or
    not at all.

    Args:
        found: the data set's files.
        report: what `check_dataset` found in them.
        labels: the label map of that check.
        out: a folder that does not exist or is empty, outside of the data.
        progress: called with the number of frames that are done since the last call.

    Raises:
        DataError: a folder that cannot be written, or a data set that is given by lists.
    """
    out = Path(out).expanduser()
    _check_target(found, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    try:
        folder.chmod(0o755)
        fixed = _Copy(found, report, labels, folder).write(progress)
        if out.exists():
            out.rmdir()  # empty, as was checked
        os.replace(folder, out)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}; choose another folder, or free space") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Fixed(out, *fixed)


def _check_target(found: Gathered, out: Path) -> None:
    if found.layout == "lists":
        raise DataError(f"{found.root} holds lists; give the data folder itself to mend")
    here, there = found.root.resolve(), out.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise DataError(f"{out} lies in the data or holds it, and nothing is mended in place; choose another folder")
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise DataError(f"{out} exists and is not empty; choose another folder")


class _Copy:
    """One copy on its way."""

    def __init__(self, found: Gathered, report: Report, labels: LabelMap, folder: Path) -> None:
        self.found, self.labels, self.folder = found, labels, folder
        self.repairs: dict[Path, list[Repair]] = {}
        for repair in report.repairs:
            self.repairs.setdefault(repair.path, []).append(repair)
        self.log: list[str] = []
        self.dropped: set[str] = set()
        self.kept: set[str] = set()
        self.rewritten = 0

    def write(self, progress: Callable[[int], None] | None) -> tuple[int, int, int]:
        """Return (frames, frames left out, files rewritten)."""
        renamed = {
            (split, repair.to): path
            for split, _, path in self.found.masks_alone
            for repair in self.repairs.get(path, ())
            if repair.kind == RENAME
        }
        frames = 0
        for split, frame in self.found.frames():
            if frame.mask is None:
                frame = self._adopt(split, frame, renamed)
            frames += self._write_frame(frame)
            if progress:
                progress(1)
        for _, _, path in self.found.masks_alone:
            if any(r.kind == DROP for r in self.repairs.get(path, ())):
                self._note(path, "left out: it has no image")
                self.dropped.add(path.name)
        self._copy_others()
        head = f"What `desertseg check --fix` changed of {self.found.root.resolve()}:"
        (self.folder / LOG).write_text("\n".join([head, *(self.log or ["nothing"])]) + "\n", encoding="utf-8")
        return frames, self.found.count - frames, self.rewritten

    def _adopt(self, split: str, frame: Frame, renamed: dict[tuple[str, str], Path]) -> Frame:
        """Return a frame with the mask that is only named otherwise, if there is one."""
        stem = Path(frame.name).name
        mask = next((path for (s, to), path in renamed.items() if s == split and Path(to).stem == stem), None)
        return Frame(frame.image, mask, frame.name, frame.scene) if mask else frame

    def _write_frame(self, frame: Frame) -> bool:
        files = [frame.image, frame.mask] if frame.mask else [frame.image]
        reasons = [r.why for path in files for r in self.repairs.get(path, ()) if r.kind == DROP]
        if reasons:
            self._note(frame.image, f"left out: {reasons[0]}")
            self.dropped |= {path.name for path in files}
            return False
        self.kept |= {path.name for path in files}
        self._write_image(frame.image)
        if frame.mask:
            self._write_mask(frame.mask, frame.image)
        return True

    def _write_image(self, path: Path) -> None:
        repair = next((r for r in self.repairs.get(path, ()) if r.kind in (UPRIGHT, STORED)), None)
        if repair is None:
            self._copy(path)
            return
        pixels = read_image(path)
        if repair.kind == STORED:
            pixels = cv2.cvtColor(_read_as_stored(path), cv2.COLOR_BGR2RGB)
        write_png(self._target(path).with_suffix(".png"), pixels)
        told = "turned upright" if repair.kind == UPRIGHT else "kept as its pixels are stored"
        self._rewrote(path, f"{told}, as PNG ({repair.why})")

    def _write_mask(self, path: Path, image: Path) -> None:
        repairs = {r.kind: r for r in self.repairs.get(path, ())}
        named = repairs.pop(RENAME, None)
        target = self._target(path)
        if named:
            target = target.with_name(named.to)
        if not repairs:
            self._copy(path, target)
        else:
            ids = self._read_ids(path)
            ids = swap_bytes(ids) if SWAP in repairs else ids
            if RESIZE in repairs:
                ids = resize_labels(ids, image_size(image))
            write_png(target.with_suffix(".png"), ids)
            self._rewrote(path, "; ".join(f"{kind}: {r.why}" for kind, r in repairs.items()))
        if named:
            self._rewrote(path, f"renamed {named.to}")

    def _read_ids(self, path: Path) -> np.ndarray:
        """Return a mask as raw ids, of as many bits as the label map needs."""
        pixels, palette = read_stored(path)
        gray = as_gray(pixels)
        if gray is None or (palette is not None and not self.labels.knows(np.unique(pixels))):
            gray = self.labels.decode(read_mask(path, self.labels))
        needs = max(int(gray.max()), *(max(c.ids) for c in self.labels.classes))
        return gray.astype(np.uint16 if needs > 255 else np.uint8)

    def _copy(self, path: Path, target: Path | None = None) -> None:
        target = target or self._target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)

    def _target(self, path: Path) -> Path:
        return self.folder / os.path.relpath(path, self.found.base)

    def _copy_others(self) -> None:
        """Copy the small files beside the frames, such as lists; without the lines that name what was left out."""
        for path in sorted(self.found.base.rglob("*")):
            target = self._target(path)
            small = path.is_file() and path.suffix.lower() in (*_LISTS, ".md", ".json", ".toml", ".yaml")
            if not small or target.exists() or path.stat().st_size > _MOST_TEXT:
                continue
            self._copy(path, target)
            gone = self.dropped - self.kept
            if path.suffix.lower() in _LISTS and gone:
                text = path.read_text(encoding="utf-8", errors="surrogateescape")
                lines = text.splitlines(keepends=True)
                left = [line for line in lines if not {Path(t).name for t in re.split(r"[\s,]+", line)} & gone]
                if len(left) < len(lines):
                    target.write_text("".join(left), encoding="utf-8", errors="surrogateescape")
                    self._rewrote(path, f"{len(lines) - len(left)} lines taken out that name frames left out")

    def _rewrote(self, path: Path, what: str) -> None:
        self.rewritten += 1
        self._note(path, what)

    def _note(self, path: Path, what: str) -> None:
        self.log.append(f"{os.path.relpath(path, self.found.root)}: {what}")


def _read_as_stored(path: Path) -> np.ndarray:
    """Return BGR (H, W, 3) without following the EXIF orientation."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return np.asarray(cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags))
