"""What the viewer draws with: the frame as a picture, and what is said of each pixel as the channels of two more.

The viewer mixes its layers from these in the browser, so that opacity, classes and layers change without asking the
server. What they hold is picked by nearest neighbour: no label is ever resampled.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from desertseg.data import resize_image, resize_labels
from desertseg.labels import IGNORE_INDEX

WIDEST = 1600  # pixels of a side that the viewer is given at most
_QUALITY = 92


@dataclass(frozen=True)
class Layers:
    """Pictures for the viewer, as data URIs.

    Attributes:
        size: (height, width) of all three.
        frame: JPEG.
        classes: PNG; red is the class, green its truth, blue the class without a threshold; 255 = none.
        sureness: PNG; red is the probability of the class, green the entropy, each times 255.
        has_truth: whether the green of the classes means anything.
        has_sureness: whether the model gave probabilities.
    """

    size: tuple[int, int]
    frame: str
    classes: str
    sureness: str
    has_truth: bool
    has_sureness: bool = True


def draw_layers(
    image: np.ndarray,
    prediction: np.ndarray,
    guess: np.ndarray,
    sure: dict[str, np.ndarray],
    truth: np.ndarray | None,
) -> Layers:
    """Return the layers of a frame, at most 1,600 pixels wide or high.

    Args:
        image: uint8 RGB (H, W, 3).
        prediction: uint8 (H, W), 255 = unknown.
        guess: uint8 (H, W), the class before a threshold made it unknown.
        sure: "confidence" and "entropy", float32 (H, W) in 0..1; empty of a model without probabilities.
        truth: uint8 (H, W), 255 = ignore, or None.
    """
    scale = min(1.0, WIDEST / max(image.shape[:2]))
    size = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    nothing = np.full(size, IGNORE_INDEX, np.uint8)
    classes = [resize_labels(prediction, size), nothing if truth is None else resize_labels(truth, size)]
    empty = np.zeros(size, np.uint8)
    levels = [_quantise(resize_labels(sure[n], size)) if sure else empty for n in ("confidence", "entropy")]
    return Layers(
        size=size,
        frame=_encode(resize_image(image, size), ".jpg", [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]),
        classes=_encode(np.dstack([*classes, resize_labels(guess, size)]), ".png"),
        sureness=_encode(np.dstack([*levels, empty]), ".png"),
        has_truth=truth is not None,
        has_sureness=bool(sure),
    )


def _quantise(share: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)


def _encode(rgb: np.ndarray, suffix: str, options: list[int] | None = None) -> str:
    content = cv2.imencode(suffix, rgb[..., ::-1], options or [])[1].tobytes()
    kind = {".jpg": "jpeg", ".png": "png"}[suffix]
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
