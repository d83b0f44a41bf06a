"""What the page's tests share: models of one convolution, and a data folder of small frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from desertseg.engine.checkpoint import save_segmenter
from desertseg.labels import load_labels
from desertseg.models import Segmenter
from desertseg.ui.given import Given
from desertseg.ui.shelf import Opened, Shelf

SIZE = (24, 40)
IDS = load_labels("falcon").ids


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that load and compile in no time: good.keras, other.keras, nan.keras, sizeless.keras."""
    folder = tmp_path_factory.mktemp("page-models")
    random = np.random.default_rng(0)
    kernel = random.normal(size=(1, 1, 3, 10)).astype(np.float32)
    for name, weights, size in (
        ("good", kernel, (16, 32)),
        ("other", random.normal(size=(1, 1, 3, 10)).astype(np.float32), (16, 32)),
        ("nan", np.where(kernel == kernel.max(), np.nan, kernel), (16, 32)),
        ("sizeless", kernel, None),
    ):
        images = keras.Input((None, None, 3))
        layer = keras.layers.Conv2D(10, 1)
        network = keras.Model(images, layer(images))
        layer.set_weights([weights, np.zeros(10)])
        save_segmenter(Segmenter(network, "falcon", size), folder / f"{name}.keras")
    return folder


@pytest.fixture(scope="session")
def shelf(models: Path) -> Shelf:
    return Shelf([models / f"{name}.keras" for name in ("good", "other", "nan", "sizeless")])


@pytest.fixture(scope="session")
def good(shelf: Shelf, models: Path) -> Opened:
    return shelf.open(str(models / "good.keras"))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four frames of 24x40 in two scenes, with 16-bit masks; only a0 and b1 show Logs, b1 more of them."""
    root, random = tmp_path_factory.mktemp("page-data") / "desert", np.random.default_rng(1)
    images, masks = root / "val" / "Color_Images", root / "val" / "Segmentation"
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for number, name in enumerate(("a0", "a1", "b0", "b1")):
        cv2.imwrite(str(images / f"{name}.png"), random.integers(0, 256, (*SIZE, 3), np.uint8))
        mask = np.array([100, 200, 300, 10000], np.uint16)[random.integers(0, 4, SIZE)]
        if number in (0, 3):
            mask[0, : 1 + number] = 700
        cv2.imwrite(str(masks / f"{name}.png"), mask)
    return root


@pytest.fixture
def given(data: Path) -> Given:
    """A frame with its truth."""
    image = data / "val" / "Color_Images" / "a0.png"
    return Given(image, "a0.png", data / "val" / "Segmentation" / "a0.png", "a0_mask.png")
