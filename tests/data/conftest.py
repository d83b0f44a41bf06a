from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.labels import LabelMap, load_labels


@pytest.fixture(scope="session")
def falcon() -> LabelMap:
    return load_labels("falcon")


@pytest.fixture(scope="session")
def write_pair(falcon: LabelMap) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A function that writes `<folder>/<images>/<name>` and its 16-bit mask; returns the image (RGB) and its labels."""

    def write(
        folder: Path, name: str, size: tuple[int, int] = (12, 20), images: str = "images", masks: str | None = "masks"
    ) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(sum(map(ord, name)))
        image = random.integers(0, 256, (*size, 3), np.uint8)
        labels = random.integers(0, falcon.num_classes, size).astype(np.uint8)
        (folder / images).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / images / f"{name}.png"), image[..., ::-1])
        if masks is not None:
            (folder / masks).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / masks / f"{name}.png"), falcon.decode(labels))
        return image, labels

    return write


@pytest.fixture(scope="session")
def flat_data(tmp_path_factory: pytest.TempPathFactory, write_pair: Callable) -> Path:
    """Eleven frames of 12x20, Falcon's split folders: 7 train, 4 val."""
    folder = tmp_path_factory.mktemp("flat")
    for split, count in (("train", 7), ("val", 4)):
        for i in range(count):
            write_pair(folder / split, f"cc{i:04}", images="Color_Images", masks="Segmentation")
    return folder
