"""Random weights drawn in NumPy: the same numbers on every backend, and no compilation for each new shape."""

from __future__ import annotations

import math
import random
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("desertseg")
class Normal(keras.initializers.Initializer):
    """Untruncated normal values.

    Args:
        stddev: None is He's sqrt(2 / fan out), as PyTorch's `kaiming_normal_(mode="fan_out", nonlinearity="relu")`.
        seed: None draws one from Python's generator, which `keras.utils.set_random_seed` seeds.
    """

    def __init__(self, stddev: float | None = None, seed: int | None = None) -> None:
        self.stddev = stddev
        self.seed = random.randrange(1 << 31) if seed is None else seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        stddev = math.sqrt(2.0 / (math.prod(shape[:-2]) * shape[-1])) if self.stddev is None else self.stddev
        values = np.random.default_rng(self.seed).standard_normal(shape, np.float32) * np.float32(stddev)
        return ops.convert_to_tensor(values, dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"stddev": self.stddev, "seed": self.seed}
