"""A reliability diagram as PNG: what a confidence is worth, and how often the model is how sure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.report.figure import GREY, new_figure, tidy

_BLUE, _GAP = "#2b6f9e", "#c4783c"


def draw_reliability(path: Path, calibration: Mapping[str, Any]) -> None:
    """Write accuracy by confidence as a PNG: a bar a bin, the gap to the diagonal hatched, below it the pixels' share.

    Args:
        path: the file.
        calibration: "bins", each with "low", "high", "count", "confidence" and "accuracy"; "ece", and what was fitted.
    """
    bins = [b for b in calibration["bins"] if b["count"]]
    left = np.array([b["low"] for b in bins])
    width = np.array([b["high"] for b in bins]) - left
    accuracy, confidence, amount = (
        np.array([b[k] for b in bins], np.float64) for k in ("accuracy", "confidence", "count")
    )
    figure = new_figure(5.6, 6.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    shape = {"width": width, "align": "edge", "linewidth": 0.7}
    above.bar(left, accuracy, color=_BLUE, edgecolor="white", label="accuracy of the pixels", **shape)
    above.bar(
        left, confidence - accuracy, bottom=accuracy, facecolor="none", edgecolor=_GAP, hatch="////",
        label="gap to their mean confidence", **shape,
    )  # fmt: skip
    above.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1, label="what it should be")
    above.set_ylim(0, 1.02)
    above.set_ylabel("accuracy")
    above.legend(frameon=False, fontsize=8.5, loc="upper left")
    above.set_title(_title(calibration), fontsize=10)
    below.bar(left, 100 * amount / max(1.0, amount.sum()), color=GREY, edgecolor="white", **shape)
    below.set_ylabel("% of pixels")
    below.set_xlabel("confidence: probability of the class that was chosen")
    below.set_xlim(0, 1)
    for axes in (above, below):
        tidy(axes)
    figure.savefig(path, dpi=110)


def _title(calibration: Mapping[str, Any]) -> str:
    text = "Reliability"
    if calibration.get("ece") is not None:
        text += f": calibration error {calibration['ece']:.4f}"
    if calibration.get("temperature") is not None and calibration.get("ece_scaled") is not None:
        text += f", with temperature {calibration['temperature']:.2f}: {calibration['ece_scaled']:.4f}"
    return text
