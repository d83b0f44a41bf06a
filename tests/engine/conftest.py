"""What several tests of the engine share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

IDS = np.array([100, 300, 7100, 10000], np.uint16)


def _write_frames(folder: Path, count: int, seed: int, tint: tuple[float, ...] = (1, 1, 1)) -> None:
    random = np.random.default_rng(seed)
    for kind in ("Color_Images", "Segmentation"):
        (folder / kind).mkdir(parents=True)
    for k in range(count):
        labels = cv2.resize(random.integers(0, 4, (3, 5), dtype=np.uint8), (50, 30), interpolation=cv2.INTER_NEAREST)
        image = labels[..., None] * np.multiply([40, 50, 60], tint) + random.integers(0, 60, (30, 50, 3))
        cv2.imwrite(str(folder / "Color_Images" / f"f{k:03}.png"), image.clip(0, 255).astype(np.uint8)[..., ::-1])
        cv2.imwrite(str(folder / "Segmentation" / f"f{k:03}.png"), IDS[labels])


@pytest.fixture(scope="session")
def write_frames() -> Callable[..., None]:
    """Return a function that writes frames of 30x50 whose colours follow their labels, with noise."""
    return _write_frames
