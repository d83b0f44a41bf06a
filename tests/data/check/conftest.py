from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.labels import load_labels

SIZE = (48, 80)
TRAIN, VAL = 8, 4


def draw_frame(seed: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """A picture of soft patches, BGR, and a mask of Falcon's ids in blocks that holds every class."""
    random = np.random.default_rng(seed)
    height, width = size
    patches = random.integers(0, 256, (9, 10, 3), np.uint8)
    image = cv2.resize(patches, (width, height), interpolation=cv2.INTER_LINEAR)
    blocks = random.permutation(np.arange(40) % 10).reshape(5, 8).astype(np.uint8)
    labels = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    return image, load_labels("falcon").decode(labels)


@pytest.fixture(scope="session")
def clean_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Falcon's layout: train of the drives cc and mt, val of the drive w, nothing wrong with any."""
    folder = tmp_path_factory.mktemp("check") / "clean"
    names = {
        "train": [f"{'cc' if i < TRAIN // 2 else 'mt'}{i:07}" for i in range(TRAIN)],
        "val": [f"w{i:07}" for i in range(VAL)],
    }
    for split, stems in names.items():
        for kind in ("Color_Images", "Segmentation"):
            (folder / split / kind).mkdir(parents=True)
        for i, stem in enumerate(stems):
            image, mask = draw_frame(100 * (split == "val") + i)
            cv2.imwrite(str(folder / split / "Color_Images" / f"{stem}.png"), image)
            cv2.imwrite(str(folder / split / "Segmentation" / f"{stem}.png"), mask)
    return folder


@pytest.fixture
def data(clean_data: Path, tmp_path: Path) -> Path:
    """A copy of the clean data to break."""
    return Path(shutil.copytree(clean_data, tmp_path / "data"))


@pytest.fixture(scope="session")
def draw() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return draw_frame
