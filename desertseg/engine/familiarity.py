"""What a model remembers of its training frames: gathered in a training, asked when it meets others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from desertseg.data.statistics import ClassIndex, index_classes
from desertseg.engine.plan import Plan
from desertseg.errors import UserError
from desertseg.models.familiarity import Familiarity

MOST_FRAMES = 500  # that statistics are made of

_Item = TypeVar("_Item")


def remember_classes(plan: Plan, index: ClassIndex | None = None) -> Familiarity | None:
    """Return a familiarity with the classes of the training masks alone; None where they cannot be read.

    Args:
        plan: of the training.
        index: of its frames, where it was made; else the classes of at most 500 frames are counted.
    """
    if not plan.train:
        return None
    try:
        found = index or index_classes(spread(plan.train, MOST_FRAMES), plan.labels)
    except UserError:  # the training will meet the frame, and say what is wrong with it
        return None
    return Familiarity(class_shares=found.shares)


def spread(items: Sequence[_Item], count: int) -> list[_Item]:
    """Return at most `count` of the items, evenly from the first to the last."""
    if len(items) <= count:
        return list(items)
    return [items[k] for k in np.linspace(0, len(items) - 1, count).round().astype(int)]
