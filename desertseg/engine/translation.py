"""Scoring through a correspondence: truth and answers of two label maps become those of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from desertseg.label_mapping import LabelMapping, load_mapping
from desertseg.labels import IGNORE_INDEX, LabelMap


class Translation:
    """Translates what is scored, and counts the truth that has no counterpart.

    Args:
        mapping: a correspondence, or its TOML file.
        answers: the label map of the answers, which must be the correspondence's `from` or one named as it scores.

    Attributes:
        mapping: the correspondence.
        truth: the label map to read masks with.
        labels: that of the classes which are scored.

    Raises:
        MappingError: a correspondence that cannot be used, or is not of these answers.
    """

    def __init__(self, mapping: str | Path | LabelMapping, answers: LabelMap) -> None:
        self.mapping = load_mapping(mapping)
        self.truth, self.labels = self.mapping.target, self.mapping.scored
        self._answers = self.mapping.answer_table(answers)
        self._seen = np.zeros(IGNORE_INDEX + 1, np.int64)

    def translate_truth(self, truth: np.ndarray) -> np.ndarray:
        """Return uint8 (H, W) in `labels` of labels in `truth`; 255 where there is no counterpart."""
        return self.mapping.truth_table[truth]

    def translate_answer(self, answer: np.ndarray) -> np.ndarray:
        """Return uint8 in `labels`, of any shape, of labels in the answers' map; 255 where there is no counterpart."""
        return self._answers[answer]

    def count(self, truth: np.ndarray) -> None:
        """Count the labels of a frame that is scored, for `to_dict`."""
        self._seen += np.bincount(truth.ravel(), minlength=IGNORE_INDEX + 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the correspondence as plain values, with the share of the labelled pixels that it leaves out."""
        pixels = dict(zip(self.truth.names, self._seen.tolist(), strict=False))
        left_out = {name: pixels[name] for name in self.mapping.unscored}
        total = sum(pixels.values())
        return {
            **self.mapping.to_dict(),
            "left_out": left_out,
            "left_out_share": sum(left_out.values()) / total if total else 0.0,
        }


def choose_labels(translation: Translation | None, labels: LabelMap) -> tuple[LabelMap, LabelMap]:
    """Return (the label map to read truth with, that of what is scored): both `labels` without a translation."""
    return (translation.truth, translation.labels) if translation else (labels, labels)
