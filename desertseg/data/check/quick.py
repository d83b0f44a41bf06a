"""The cheap part of a check, for commands that are about to read the frames anyway: headers, names, a few masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from desertseg.data import png
from desertseg.data.check.findings import ERROR, WARNING, Files, Finding
from desertseg.data.check.interleaving import check_interleaving
from desertseg.data.errors import DataError
from desertseg.data.frame import Frame
from desertseg.data.read import check_same_size, image_size, read_mask
from desertseg.labels import LabelError, LabelMap

UNKNOWN_IDS, UNUSABLE = "unknown-ids", "unusable"
_MASKS_READ = 8  # of each split, spread over it
_HEADERS_READ = 2000  # likewise


def check_quickly(splits: Mapping[str, Sequence[Frame]], labels: LabelMap) -> list[Finding]:
    """Return what names, headers and a few masks tell of frames; half a second for thousands of them.

    An error's message is what reading the frame would raise: UNKNOWN_IDS a `LabelError`, UNUSABLE a `DataError`.

    Args:
        splits: frames by split.
        labels: the label map.
    """
    findings: list[Finding] = []
    shallow, deep = Files(), 0
    for frames in splits.values():
        for frame in _spread(frames, _HEADERS_READ):
            try:
                depth = _check_headers(frame)
            except DataError as error:
                findings.append(Finding(ERROR, UNUSABLE, str(error), ""))
                continue
            deep += depth == 16
            if depth == 8:
                shallow.add(frame.mask or "")
        findings += [f for frame in _spread(frames, _MASKS_READ) for f in _read(frame, labels)]
    if shallow and deep and any(max(c.ids) > 255 for c in labels.classes):
        message = f"{shallow.count:,} of {shallow.count + deep:,} masks have 8 bits a pixel, the others 16"
        findings += shallow.finding(WARNING, "mask-depth", message, "take the original 16-bit masks")
    return findings + check_interleaving(splits)


def warning_lines(findings: Sequence[Finding], data: object) -> list[str]:
    """Return a line for each warning, and at the end the command that looks at every frame."""
    told = [f"warning: {f.message}; {f.fix}" for f in findings if f.severity == WARNING]
    return [*told, f"more about these frames: desertseg check {data}"] if told else []


def _spread(frames: Sequence[Frame], most: int) -> list[Frame]:
    """Return at most so many frames, spread over all."""
    if len(frames) <= most:
        return list(frames)
    return [frames[i] for i in np.linspace(0, len(frames) - 1, most).astype(int)]


def _check_headers(frame: Frame) -> int:
    """Return the bits a sample of a frame's mask, 0 where it has none or stores colours; refuse two sizes."""
    if frame.mask is None:
        return 0
    check_same_size(frame.image, image_size(frame.image), frame.mask, image_size(frame.mask))
    with frame.mask.open("rb") as file:
        head = file.read(33)
    if not head.startswith(png.SIGNATURE):
        return 0
    header = png.read_header(head)
    return 0 if not header.is_gray else 16 if header.depth == 16 else 8


def _read(frame: Frame, labels: LabelMap) -> list[Finding]:
    if frame.mask is None:
        return []
    try:
        read_mask(frame.mask, labels)
    except LabelError as error:
        return [Finding(ERROR, UNKNOWN_IDS, str(error), "")]
    except DataError as error:
        return [Finding(ERROR, UNUSABLE, str(error), "")]
    return []
