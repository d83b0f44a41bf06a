"""SegFormer's fusion of features of several resolutions, without computing it at the finest one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from desertseg.layers.form import uses_fast_form
from desertseg.layers.initializer import Normal
from desertseg.layers.resize import interpolation_matrix, resize_bilinear


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
        branches = []
        bias = 0.0
        for index, feature in enumerate(features):
            fusion = self.fusion_kernel[index]
            kernel = ops.matmul(self.kernels[index], fusion)
            bias = bias + ops.matmul(self.biases[index][None], fusion)[0]
            branches.append(_project(feature, ops.cast(kernel, self.compute_dtype)))
        first = branches[0] + ops.cast(bias, self.compute_dtype)  # a constant is the same upsampled
        return first + _upsampled_sum(branches[1:], ops.shape(first)[1:3]) if branches[1:] else first

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


def _upsampled_sum(branches: Sequence[Any], size: tuple[Any, Any]) -> Any:
    """Return the sum of the branches, each resized to `size`."""
    if not uses_fast_form():
        return sum(resize_bilinear(branch, size) for branch in branches)
    import jax.numpy as jnp

    # The widths first, on few rows; then the rows of all branches at once, which sums them in the same product.
    dtype, channels = branches[0].dtype, branches[0].shape[-1]
    rows = jnp.concatenate([resize_bilinear(branch, (branch.shape[1], size[1])) for branch in branches], 1)
    matrices = [interpolation_matrix(branch.shape[1], size[0], False) for branch in branches]
    matrix = jnp.asarray(np.concatenate(matrices, 1), dtype)
    batch = rows.shape[0]
    rows = rows.reshape(batch, rows.shape[1], -1)
    # "highest": on a GPU the default would round float32 to 10 bits of mantissa.
    total = jnp.matmul(jnp.broadcast_to(matrix, (batch, *matrix.shape)), rows, precision="highest")
    return total.reshape(batch, *size, channels)
