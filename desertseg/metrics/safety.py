"""What mistakes mean to a vehicle: obstacles that the model calls drivable, and ground that it calls an obstacle."""

from __future__ import annotations

from typing import Any

import numpy as np

from desertseg.labels import LabelMap
from desertseg.metrics.tally import plain, ratio


def safety(confusion: np.ndarray, labels: LabelMap, unanswered: np.ndarray | None = None) -> dict[str, Any] | None:
    """Return the false-safe and false-alarm rates as plain JSON values; None where the map has no such classes.

    A class is an obstacle from a cost of 80 on and drivable up to 40; what lies between, and a class without a cost,
    is neither, so calling a rock a dry bush is no false-safe pixel.

    Args:
        confusion: integers (C, C), rows truth, columns prediction.
        labels: their label map, whose costs say what is what.
        unanswered: integers (C,), pixels without a class, as in `Scores`: they are in the denominators, and never safe.

    Returns:
        false_safe_rate: share of the obstacles' pixels that were predicted as a drivable class.
        false_safe_pixels, obstacle_pixels: its numerator and denominator.
        false_alarm_rate: share of the drivable classes' pixels that were predicted as an obstacle.
        per_class: the false-safe rate of each obstacle class.
        obstacles, drivable: the names of both kinds.
        definition: the above in words. A rate without a pixel to take it of is None.
    """
    obstacles, drivable = list(labels.obstacles), list(labels.drivable)
    if not obstacles or not drivable:
        return None
    confusion = np.asarray(confusion).astype(np.int64)
    pixels = confusion.sum(axis=1) + (0 if unanswered is None else np.asarray(unanswered).astype(np.int64))
    called_safe = confusion[:, drivable].sum(axis=1)
    called_obstacle = confusion[:, obstacles].sum(axis=1)
    names = labels.names
    return {
        "false_safe_rate": plain(ratio(called_safe[obstacles].sum(), pixels[obstacles].sum())),
        "false_safe_pixels": int(called_safe[obstacles].sum()),
        "obstacle_pixels": int(pixels[obstacles].sum()),
        "false_alarm_rate": plain(ratio(called_obstacle[drivable].sum(), pixels[drivable].sum())),
        "per_class": {names[i]: plain(ratio(called_safe[i], pixels[i])) for i in obstacles},
        "obstacles": [names[i] for i in obstacles],
        "drivable": [names[i] for i in drivable],
        "definition": "false-safe rate: the share of the obstacles' pixels (cost 80 or more) that were predicted as a "
        "drivable class (cost 40 or less); false-alarm rate: the share of the drivable classes' pixels that were "
        "predicted as an obstacle",
    }
