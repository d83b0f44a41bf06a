"""A network small enough for a test."""

import pytest

TINY = {"width": 8, "blocks": (1, 1, 1, 1), "aspp_channels": 16, "decoder_channels": 16, "zero_init": False}


@pytest.fixture
def tiny_options():
    """Options of `build_segmenter` under which a whole DeepLab runs in milliseconds."""
    return dict(TINY)
