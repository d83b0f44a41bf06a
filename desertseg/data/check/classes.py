"""Which classes a split lacks."""

from __future__ import annotations

from itertools import chain

import numpy as np

from desertseg.data.check.findings import NOTE, WARNING, Finding
from desertseg.data.check.look import Seen
from desertseg.errors import plural
from desertseg.labels import LabelMap

_THIN = 3  # frames of val that a class needs for a score that means something


class ClassCheck:
    """Counts the pixels of each class in each split.

    Args:
        labels: the label map.
    """

    def __init__(self, labels: LabelMap) -> None:
        self.labels = labels
        self.pixels: dict[str, np.ndarray] = {}
        self.frames: dict[str, np.ndarray] = {}

    def add(self, seen: Seen) -> None:
        if seen.mask is None or seen.mask.error:
            return
        if seen.split not in self.pixels:
            self.pixels[seen.split] = np.zeros(self.labels.num_classes, np.int64)
            self.frames[seen.split] = np.zeros(self.labels.num_classes, np.int64)
        self.pixels[seen.split] += seen.mask.classes
        self.frames[seen.split] += seen.mask.classes > 0

    def shares(self) -> dict[str, dict[str, float]]:
        """Return class -> split -> its share of the labelled pixels."""
        totals = {split: max(1, int(counts.sum())) for split, counts in self.pixels.items()}
        return {
            name: {split: float(self.pixels[split][i]) / totals[split] for split in totals}
            for i, name in enumerate(self.labels.names)
        }

    def finish(self) -> list[Finding]:
        """Return what there is to say."""
        if not any(counts.any() for counts in self.pixels.values()):
            return []  # then the ids are the trouble
        return [*self._missing(), *self._thin(), *self._nowhere()]

    def _missing(self) -> list[Finding]:
        findings = []
        pairs = [("train", other) for other in self.pixels if other != "train"] if "train" in self.pixels else []
        for train, other in pairs:
            there, here = self.pixels[train] > 0, self.pixels[other] > 0
            unlearnt, unscored = self._names(here & ~there), self._names(there & ~here)
            if unlearnt:
                message = f"{_are(unlearnt)} in split {other} but not in train: a model cannot learn them"
                fix = "cut the splits anew (desertseg split), or put these classes under ignore"
                findings.append(Finding(WARNING, "not-in-train", message, fix, count=len(unlearnt)))
            if unscored:
                severity = WARNING if other == "val" else NOTE
                message = f"{_are(unscored)} in train but not in split {other}: no score tells how well they are learnt"
                fix = "cut the splits anew so that each class is on both sides (desertseg split)"
                fix = fix if other == "val" else "nothing to do: means count the classes that are present"
                findings.append(Finding(severity, f"not-in-{other}", message, fix, count=len(unscored)))
        return findings

    def _thin(self) -> list[Finding]:
        frames = self.frames.get("val")
        if frames is None or int(frames.max(initial=0)) < 2 * _THIN:
            return []
        thin = self._names((frames > 0) & (frames < _THIN))
        message = f"{_are(thin)} in fewer than {_THIN} frames of val: their IoU hangs on one or two frames"
        fix = "nothing, or cut the splits anew so that rare classes are spread (desertseg split)"
        return [Finding(NOTE, "thin", message, fix, count=len(thin))] if thin else []

    def _nowhere(self) -> list[Finding]:
        absent = self._names(np.sum([*self.pixels.values()], axis=0) == 0)
        if not absent:
            return []
        message = f"{plural(len(absent), 'class')} of '{self.labels.name}' in no frame: {', '.join(absent)}"
        fix = "nothing, if that is so; else give the label map of this data set (--labels)"
        return [Finding(NOTE, "nowhere", message, fix, count=len(absent))]

    def _names(self, which: np.ndarray) -> list[str]:
        return [self.labels.names[i] for i in np.flatnonzero(which)]


def _are(names: list[str]) -> str:
    """Return "Logs is" or "Logs and Flowers are"."""
    joined = list(chain.from_iterable((", ", name) for name in names))[1:]
    if len(names) > 1:
        joined[-2] = " and "
    return f"{''.join(joined)} {'is' if len(names) == 1 else 'are'}"
