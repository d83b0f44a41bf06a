"""Draw the photometric effects of each sample on the host, as a few numbers that the compiled step applies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from desertseg.labels import LabelMap

if TYPE_CHECKING:
    from desertseg.data.augmentation import Augmentation


def draw_photometric(
    augmentation: Augmentation,
    labels: LabelMap | None,
    seed: int,
    epoch: int,
    sample: int,
    size: tuple[int, int],
) -> dict[str, np.ndarray]:
    """Return one sample's photometric parameters: a key for each effect that the augmentation enables.

    Args:
        augmentation: probabilities and ranges.
        labels: the label map, of which a class named Sky is not ground; None if there is none.
        seed, epoch, sample: what the draw depends on.
        size: training size (height, width).
    """
    return {}
