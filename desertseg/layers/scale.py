"""A learnt factor for each channel, as residual branches of deep transformers have it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("desertseg")
class LayerScale(keras.layers.Layer):
    """Multiply the last axis by a trained weight "gamma" (C,).

    Args:
        initial: value of the weight at the start.
        **kwargs: as `keras.layers.Layer`.

    Source: Touvron et al. 2021, "Going Deeper with Image Transformers", section 2.
    """

    def __init__(self, initial: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape: tuple) -> None:
        initializer = keras.initializers.Constant(self.initial)
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer=initializer, name="gamma")

    def call(self, inputs: Any) -> Any:
        return inputs * ops.convert_to_tensor(self.gamma)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial": self.initial}
