"""Draw the geometry of a sample: flips, turn, zoom, slant, stretch and the place of the crop, as one affine map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from desertseg.data.letterbox import Box, check_resize

if TYPE_CHECKING:
    from desertseg.data.augmentation import Augmentation

# First number of a generator's seed. Those of desertseg.data stand here and in source.py (0), mixing.py and
# photometric.py, each once, so that no two effects share their draws.
_STREAM, _VERTICAL_FLIP, _ROTATE, _SHEAR, _ASPECT, _RARE_CROP = 1, 2, 3, 4, 5, 6


def draw_affine(
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    sample: int,
    size: tuple[int, int],
    box: Box,
    *,
    resize: str = "letterbox",
    points: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Return the map from a training picture to the load canvas, float32 (2, 3).

    It maps the centre of an output pixel to the load canvas, in pixels with the centre of pixel (0, 0) at (0, 0):
    [x_in, y_in] = affine @ [x_out, y_out, 1]. Along an axis where the scaled frame is longer than the output, the crop
    lies inside the frame; where it is shorter, the frame lies inside the output; the place is uniform.

    Args:
        augmentation: probabilities and ranges.
        seed, epoch, sample: what the draw depends on.
        size: training size (height, width).
        box: where in the canvas the frame lies.
        resize: what scale 1.0 means, "letterbox" or "stretch".
        points: for each rare class that the frame has, float (K, 2) places (y, x) in [0, 1) of its pixels.
    """
    random = np.random.default_rng((_STREAM, seed, epoch, sample))
    flipped = random.random() < augmentation.flip
    scale = math.exp(random.uniform(math.log(augmentation.scale[0]), math.log(augmentation.scale[1])))
    place_y, place_x = random.random(2)
    fit_y, fit_x = size[0] / box.height, size[1] / box.width
    if check_resize(resize) == "letterbox":
        fit_y = fit_x = min(fit_y, fit_x)
    step_y, first_y = _place(box.height, size[0], scale * fit_y, place_y)
    step_x, first_x = _place(box.width, size[1], scale * fit_x, place_x)
    if flipped:
        step_x, first_x = -step_x, box.width - 1 - first_x
    affine = ((step_x, 0, box.left + first_x), (0, step_y, box.top + first_y))
    return np.array(affine, np.float32)


def _place(source: int, target: int, zoom: float, place: float) -> tuple[float, float]:
    """Return the step in source pixels from one target pixel to the next, and where the first one's centre lies."""
    offset = place * (target - source * zoom)  # of the frame's edge from the target's, in target pixels
    return 1 / zoom, (0.5 - offset) / zoom - 0.5
