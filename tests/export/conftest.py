"""A tiny network of three classes, whose answers differ from place to place."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from desertseg.engine.checkpoint import save_segmenter
from desertseg.models import Segmenter, build_segmenter


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    """A DeepLabV3+ of four channels with random weights, dilated, strided and separable convolutions in it."""
    keras.utils.set_random_seed(1)
    options = {"width": 4, "blocks": (1, 1, 1, 1), "aspp_channels": 8, "decoder_channels": 8, "zero_init": False}
    return build_segmenter(size=(64, 96), recipe={"model": {"name": "tiny"}}, **options)


@pytest.fixture(scope="session")
def model(segmenter: Segmenter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its `.keras` file."""
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    save_segmenter(segmenter, path)
    return path
