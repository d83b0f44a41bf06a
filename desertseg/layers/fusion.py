"""SegFormer's fusion of features of several resolutions, without computing it at the finest one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from desertseg.layers.initializer import Normal
from desertseg.layers.resize import resize_bilinear


@keras.saving.register_keras_serializable("desertseg")
class LinearFusion(keras.layers.Layer):
    """A linear projection of each feature, upsampling to the first one's size, concatenation and a 1x1 convolution.

    That is what it returns, not how it computes it. Nothing between the projection and the 1x1 convolution is other
    than linear, so each branch is multiplied with the product of both matrices at its own resolution, and the results
    are upsampled and added. For MiT-B2 with 768 channels this takes a twentieth of the multiplications. The product is
    formed in float32 under every policy.

    Weights, for features of C1, C2, ... channels: `projection{i}_kernel` (Ci, filters), `projection{i}_bias` (filters,)
    and `fusion_kernel` (number of features, filters, filters), the 1x1 convolution's share of each feature.

    Args:
        filters: channels of the projections and of the output.
        **kwargs: as `keras.layers.Layer`.

    Called with a list of features (B, hi, wi, Ci), the finest first; returns (B, h1, w1, filters).

    Source: Xie et al. 2021, "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
    section 3.2, equation 4.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernels: list[Any] = []
        self.biases: list[Any] = []

    def build(self, input_shape: Sequence[tuple]) -> None:
        for index, shape in enumerate(input_shape, 1):
            self.kernels.append(
                self._weight(f"projection{index}_kernel", (shape[-1], self.filters), Normal(shape[-1] ** -0.5))
            )
            self.biases.append(self._weight(f"projection{index}_bias", (self.filters,), "zeros"))
        shape = (len(input_shape), self.filters, self.filters)
        self.fusion_kernel = self._weight("fusion_kernel", shape, Normal((2 / self.filters) ** 0.5))

    def _weight(self, name: str, shape: tuple[int, ...], initializer: Any) -> Any:
        return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

    def call(self, features: Sequence[Any]) -> Any:
        shape = ops.shape(features[0])
        total = 0.0
        for index, feature in enumerate(features):
            fusion = self.fusion_kernel[index]
            kernel = ops.cast(ops.matmul(self.kernels[index], fusion), self.compute_dtype)
            bias = ops.cast(ops.matmul(self.biases[index][None], fusion)[0], self.compute_dtype)
            total = total + resize_bilinear(_project(feature, kernel) + bias, (shape[1], shape[2]))
        return total

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        return (*input_shape[0][:3], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


def _project(feature: Any, kernel: Any) -> Any:
    """Return feature @ kernel, as a product of two matrices: XLA's gradient of the kernel is four times as fast so."""
    shape = ops.shape(feature)
    return ops.reshape(
        ops.matmul(ops.reshape(feature, (-1, feature.shape[-1])), kernel), (*shape[:3], kernel.shape[-1])
    )
