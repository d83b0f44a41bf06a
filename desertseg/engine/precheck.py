"""The cheap part of `desertseg check`, before a training or a scoring begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from desertseg.data import DataError, Frame, find_frames
from desertseg.data.check import check_quickly
from desertseg.data.check.interleaving import check_interleaving
from desertseg.data.check.quick import UNKNOWN_IDS, UNUSABLE, warning_lines
from desertseg.labels import LabelError, LabelMap


def precheck_training(train: Sequence[Frame], val: Sequence[Frame], labels: LabelMap, data: str | Path) -> list[str]:
    """Return a line for each warning about the frames of a training.

    Raises:
        DataError, LabelError: a frame that cannot be used, among those that are looked at.
    """
    return _tell({"train": train, "val": val}, labels, data, (UNKNOWN_IDS, UNUSABLE))


def precheck_scoring(frames: Sequence[Frame], labels: LabelMap, data: Any, split: str | None) -> list[str]:
    """Return a line for each warning about frames to score; those that cannot be used are left out later.

    Raises:
        LabelError: a mask of another label map, among those that are looked at.
    """
    name = split or "all"
    lines = _tell({name: frames}, labels, data, (UNKNOWN_IDS,))
    if isinstance(data, (str, Path)) and name in ("val", "test"):
        try:
            train = find_frames(data, "train", masks=False)
        except DataError:  # a folder of this split alone
            return lines
        lines += warning_lines(check_interleaving({"train": train, name: frames}), data)
    return lines


def _tell(splits: Mapping[str, Sequence[Frame]], labels: LabelMap, data: Any, fatal: tuple[str, ...]) -> list[str]:
    findings = check_quickly(splits, labels)
    for finding in findings:
        if finding.code in fatal:
            raise (LabelError if finding.code == UNKNOWN_IDS else DataError)(finding.message)
    return warning_lines(findings, data)
