"""What an exported file's answers cost on labelled frames, as `evaluate` scores them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from desertseg.data import find_frames
from desertseg.engine.evaluate import evaluate
from desertseg.errors import UserError
from desertseg.models import Segmenter


@dataclass(frozen=True)
class Cost:
    """Mean IoU at native resolution of both, over `frames` frames."""

    exported: float
    keras: float
    frames: int


def find_scored(data: str | Path | None, split: str, calibrate: str | Path | None) -> str | None:
    """Return the data folder to score on: `data`, else the folder that calibrates where that has masks, else None.

    Raises:
        UserError: `data` has no labelled frames of that split.
    """
    if data is not None:
        find_frames(data, split)
        return str(data)
    if calibrate is None:
        return None
    try:
        return str(calibrate) if find_frames(calibrate, split) else None
    except UserError:  # frames without masks serve for calibration alone
        return None


def measure_cost(model: str | Path | Segmenter, exported: str | Path, data: str | Path, split: str) -> Cost:
    """Return the scores of a model and of a file that it was exported to, on the same frames."""
    theirs, ours = (
        evaluate(m, find_frames(data, split), split=None, boundaries=False, progress=False).scores
        for m in (exported, model)
    )
    return Cost(float(theirs.miou), float(ours.miou), len(find_frames(data, split)))
