"""Draw each sample's augmentation on the host, as numbers that the compiled step applies.

The numbers are a pure function of (seed, epoch, sample): the same on every backend, with any number of workers, before
and after a resume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from desertseg.data.errors import DataError
from desertseg.data.letterbox import Box, check_resize

_STREAM = 1  # keeps these draws apart from the shuffling of the same seed and epoch


@dataclass(frozen=True)
class Augmentation:
    """Horizontal flip and random scale-crop, as one affine map.

    Attributes:
        flip: probability of a mirrored picture, 0 to 1.
        scale: (smallest, largest) zoom, drawn log-uniformly. At 1.0 the whole frame just fits the training size, as
            `letterbox` fits it (or `stretch`); at 2.0 the crop shows half of the frame's height and width; at 0.5 the
            frame is drawn at half its size, with ignore around it.

    Raises:
        DataError: a value is out of range.
    """

    flip: float = 0.5
    scale: tuple[float, float] = (0.75, 1.5)

    def __post_init__(self) -> None:
        if not 0 <= self.flip <= 1:
            raise DataError(f"augmentation flip is {self.flip}; it is a probability, 0 to 1")
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1] < math.inf:
            raise DataError(
                f"augmentation scale is {self.scale}; give (smallest, largest), both above 0, such as (0.75, 2)"
            )

    def draw(
        self,
        seed: int,
        epoch: int,
        sample: int,
        load_size: tuple[int, int],
        size: tuple[int, int],
        *,
        box: Box | None = None,
        resize: str = "letterbox",
    ) -> dict[str, np.ndarray]:
        """Return one sample's parameters.

        Args:
            seed, epoch, sample: what the draw depends on, each 0 or more; `sample` is the frame's index.
            load_size: (height, width) of the canvas that the frame is loaded into.
            size: training size (height, width).
            box: where in the canvas the frame lies; all of it if None.
            resize: what scale 1.0 means, "letterbox" or "stretch".

        Returns:
            "affine": float32 (2, 3). It maps the centre of an output pixel to the load canvas, in pixels with the
            centre of pixel (0, 0) at (0, 0): [x_in, y_in] = affine @ [x_out, y_out, 1]. Along an axis where the scaled
            frame is longer than the output, the crop lies inside the frame; where it is shorter, the frame lies inside
            the output; the place is uniform.
        """
        box = box or Box(0, 0, *load_size)
        random = np.random.default_rng((_STREAM, seed, epoch, sample))
        flipped = random.random() < self.flip
        scale = math.exp(random.uniform(math.log(self.scale[0]), math.log(self.scale[1])))
        place_y, place_x = random.random(2)
        fit_y, fit_x = size[0] / box.height, size[1] / box.width
        if check_resize(resize) == "letterbox":
            fit_y = fit_x = min(fit_y, fit_x)
        step_y, first_y = _place(box.height, size[0], scale * fit_y, place_y)
        step_x, first_x = _place(box.width, size[1], scale * fit_x, place_x)
        if flipped:
            step_x, first_x = -step_x, box.width - 1 - first_x
        affine = ((step_x, 0, box.left + first_x), (0, step_y, box.top + first_y))
        return {"affine": np.array(affine, np.float32)}


def _place(source: int, target: int, zoom: float, place: float) -> tuple[float, float]:
    """Return the step in source pixels from one target pixel to the next, and where the first one's centre lies."""
    offset = place * (target - source * zoom)  # of the frame's edge from the target's, in target pixels
    return 1 / zoom, (0.5 - offset) / zoom - 0.5
