"""From what the user named to tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from desertseg.models.weights.layout import Tensors


@dataclass(frozen=True)
class Opened:
    """A checkpoint in memory, and its name for messages."""

    tensors: Tensors
    name: str


def open_source(source: str | Path | Mapping[str, np.ndarray], network: keras.Model | None) -> Opened:
    """Return a checkpoint's tensors.

    Args:
        source: as in `load_weights_from`.
        network: for which a preset is looked up by name.

    Raises:
        ModelError: nothing that can be read.
    """
    if isinstance(source, Mapping):
        return Opened(source, "the given tensors")
    from desertseg.models.weights.files import read_tensors

    return Opened(read_tensors(Path(source)), str(source))
