"""Draw what the samples of a batch give each other: CutMix boxes and pasted classes, where their rare classes lie."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from desertseg.data.desert_light import find_sky
from desertseg.labels import LabelMap

if TYPE_CHECKING:
    from desertseg.data.augmentation import Augmentation

_PARTNER, _CUTMIX, _PASTE = 8, 9, 10  # streams, see geometry.py
_AREA = 0.05, 0.5  # of a CutMix box, as a share of the picture
_ELONGATION = 1.5  # of a CutMix box, at most, beside the picture's


def draw_mixing(
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    samples: np.ndarray,
    size: tuple[int, int],
    places: np.ndarray,
    rare: np.ndarray,
    labels: LabelMap,
) -> dict[str, np.ndarray]:
    """Return the mixing parameters of a whole batch; a key for each effect that is on.

    A partner is another sample of the batch that shows a rare class: first a class is drawn among those that others
    show, so that the rarest is as frequent as the others, then one of the samples that show it.

    Args:
        augmentation: probabilities.
        seed, epoch: what the draw depends on, with
        samples: int (B,), the number of each sample.
        size: training size (height, width).
        places: float (B, R, K, 2), places (y, x) in the training pictures of pixels of each rare class, NaN or outside
            the picture where it is not seen.
        rare: int (R,), the indices of the rare classes.
        labels: the label map of C classes; nothing is pasted over the one named Sky, in any case.

    Returns:
        "partner" int32 (B,); "cutmix" float32 (B, 4), the box (top, left, bottom, right) in pixels that comes from the
        partner, empty (zeros) for none; "paste" bool (B, C), the classes that do, and "paste_over" bool (B, C), those
        that they may cover.
    """
    batch = len(samples)
    seen = np.all((places >= 0) & (places < size), axis=-1)  # (B, R, K)
    shows: np.ndarray = np.any(seen, axis=-1)
    partner, boxes, paste = np.arange(batch), np.zeros((batch, 4)), np.zeros((batch, labels.num_classes), bool)
    for i, sample in enumerate(samples.tolist() if batch > 1 else []):
        number = (seed, epoch, sample)
        j, target = _draw_partner(np.random.default_rng((_PARTNER, *number)), i, shows)
        partner[i] = j
        if augmentation.cutmix:
            choices = None if target is None else places[j, target][seen[j, target]]
            random = np.random.default_rng((_CUTMIX, *number))
            boxes[i] = _draw_box(augmentation.cutmix, random, size, choices)
        if augmentation.copy_paste and target is not None:
            random = np.random.default_rng((_PASTE, *number))
            if random.random() < augmentation.copy_paste:  # the class drawn, and each other rare one by a coin
                chosen = shows[j] & (random.random(len(rare)) < 0.5)
                chosen[target] = True
                paste[i, rare[chosen]] = True
    drawn: dict[str, np.ndarray] = {"partner": partner.astype(np.int32)}
    if augmentation.cutmix:
        drawn["cutmix"] = boxes.astype(np.float32)
    if augmentation.copy_paste:
        drawn["paste"], drawn["paste_over"] = paste, np.ones_like(paste)
        if (sky := find_sky(labels)) >= 0:
            drawn["paste_over"][:, sky] = False
    return drawn


def _draw_partner(random: np.random.Generator, i: int, shows: np.ndarray) -> tuple[int, int | None]:
    """Return sample i's partner and the rare class, counted among the rare, for which it was drawn, if any.

    Args:
        shows: bool (B, R), which sample shows which rare class.
    """
    others = np.arange(len(shows)) != i
    shown = np.flatnonzero(shows[others].any(axis=0))
    target = int(shown[random.integers(len(shown))]) if len(shown) else None
    if target is not None:
        others &= shows[:, target]
    candidates = np.flatnonzero(others)
    return int(candidates[random.integers(len(candidates))]), target


def place_points(affines: np.ndarray, points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return where points of the frames lie in their training pictures, (B, ..., 2) (y, x) in pixels.

    Args:
        affines: (B, 2, 3), see `draw_affine`.
        points: (B, ..., 2), (y, x) in [0, 1) of the frame.
        boxes: (B, 4), the frame's top, left, height and width in the load canvas.

    Returns:
        float64; a pixel covers [i, i + 1), so that the picture is [0, height) x [0, width).
    """
    middle = (len(boxes), *[1] * (points.ndim - 2), 2)
    loaded = boxes[:, :2].reshape(middle) + points * boxes[:, 2:].reshape(middle) - 0.5
    affines = affines.astype(float)
    offsets = loaded[..., ::-1] - affines[..., 2].reshape(middle)
    xy = np.einsum("bij,b...j->b...i", np.linalg.inv(affines[..., :2]), offsets)
    return xy[..., ::-1] + 0.5


def _draw_box(
    probability: float,
    random: np.random.Generator,
    size: tuple[int, int],
    choices: np.ndarray | None,
) -> np.ndarray:
    """Return one box in whole pixels, (4,), inside the picture; zeros for none."""
    if random.random() >= probability:
        return np.zeros(4)
    side = math.sqrt(random.uniform(*_AREA))
    stretch = math.exp(random.uniform(-0.5, 0.5) * math.log(_ELONGATION))
    half = np.array(size) * side * (stretch, 1 / stretch) / 2
    free, pick = random.random(2) * size, random.random()
    centre = free if choices is None else choices[int(pick * len(choices))]
    low, high = np.maximum(np.round(centre - half), 0), np.minimum(np.round(centre + half), size)
    return np.concatenate([low, high]) if (low < high).all() else np.zeros(4)
