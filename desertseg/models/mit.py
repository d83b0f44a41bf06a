"""Mix Transformer (MiT), SegFormer's encoder, for pictures of any height and width.

Layer names, for whoever copies weights (nvidia's name on the right):

    stage{i}_embed, stage{i}_embed_norm            patch_embed{i}.proj, patch_embed{i}.norm
    stage{i}_block{j}_norm1, ..._norm2             block{i}.{j-1}.norm1, ..norm2
    stage{i}_block{j}_query, ..._key_value         block{i}.{j-1}.attn.q, ..attn.kv
    stage{i}_block{j}_reduce, ..._reduce_norm      block{i}.{j-1}.attn.sr, ..attn.norm
    stage{i}_block{j}_project                      block{i}.{j-1}.attn.proj
    stage{i}_block{j}_expand, ..._contract         block{i}.{j-1}.mlp.fc1, ..mlp.fc2
    stage{i}_block{j}_depthwise                    block{i}.{j-1}.mlp.dwconv.dwconv
    stage{i}_norm                                  norm{i}

Source: Xie et al. 2021, "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
section 3.1 and table 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from desertseg.layers import (
    GELU,
    Attention,
    Convolution,
    DepthwiseConvolution,
    Normal,
    PatchConvolution,
    ToGrid,
    ToTokens,
)
from desertseg.models.errors import ModelError
from desertseg.models.network import Network

_KERNELS, _STRIDES = (7, 3, 3, 3), (4, 2, 2, 2)
_EPSILON = 1e-5


@keras.saving.register_keras_serializable("desertseg")
class MiT(Network):
    """A Mix Transformer that returns the features of its four stages. The defaults are MiT-B0.

    Strided convolutions take the place of patches and of position embeddings, so every size is taken as it comes, odd
    ones too: a side of n becomes ceil(n / 4), ceil(n / 8), ... as in PyTorch.

    Args:
        widths: channels of the stages: (32, 64, 160, 256) is B0's, (64, 128, 320, 512) that of B1 to B5.
        depths: blocks in each stage.
        heads: of the attention in each stage; they divide the widths.
        reductions: keys and values are taken from patches of that height and width of each stage's grid.
        expansion: hidden channels of the feed-forward part, in widths.
        drop_path: rate at which the last block's residual branches are left out, picture by picture, while training;
            it falls linearly to 0 in the first. 0.1 as published; 0 by default: the mask is hidden state, which a
            resumed run would not repeat.
        dtype: dtype policy.

    Returns, when called with (B, H, W, 3): dict "stage1" (stride 4) ... "stage4" (stride 32), each after the stage's
    normalisation.

    Raises:
        ModelError: not four stages, or heads that do not divide the width.
    """

    output_stride = 32

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 160, 256),
        depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (1, 2, 5, 8),
        reductions: Sequence[int] = (8, 4, 2, 1),
        expansion: int = 4,
        drop_path: float = 0.0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        _check(widths=widths, depths=depths, heads=heads, reductions=reductions)
        inputs = keras.Input((None, None, 3))
        rates = iter(np.linspace(0, drop_path, sum(depths)).tolist())
        x, features = inputs, {}
        for stage in range(1, 5):
            i = stage - 1
            x = Convolution(
                widths[i], _KERNELS[i], _STRIDES[i], use_bias=True, name=f"stage{stage}_embed", dtype=dtype
            )(x)
            x = _norm(x, f"stage{stage}_embed_norm", dtype)
            for block in range(1, depths[i] + 1):
                name = f"stage{stage}_block{block}"
                rate = next(rates)
                branch = _attend(x, heads[i], reductions[i], name=name, dtype=dtype)
                x = _add(x, branch, rate, f"{name}_1", dtype)
                branch = _feed_forward(x, expansion * widths[i], name=name, dtype=dtype)
                x = _add(x, branch, rate, f"{name}_2", dtype)
            x = _norm(x, f"stage{stage}_norm", dtype)
            features[f"stage{stage}"] = x
        super().__init__(inputs=inputs, outputs=features, **kwargs)
        self._remember(
            dtype,
            widths=tuple(widths),
            depths=tuple(depths),
            heads=tuple(heads),
            reductions=tuple(reductions),
            expansion=expansion,
            drop_path=drop_path,
        )


def _check(**stages: Sequence[int]) -> None:
    for name, values in stages.items():
        if len(values) != 4:
            raise ModelError(f"a Mix Transformer has four stages; {name}={tuple(values)} describes {len(values)}")
    for width, heads in zip(stages["widths"], stages["heads"], strict=True):
        if width % heads:
            raise ModelError(f"{heads} heads do not divide a width of {width}; choose heads that do")


def _attend(inputs: Any, heads: int, reduction: int, *, name: str, dtype: Any) -> Any:
    """Return the attention of every place to the patches of the picture (section 3.1, "Efficient Self-Attention")."""
    width = inputs.shape[-1]
    x = _norm(inputs, f"{name}_norm1", dtype)
    queries = ToTokens(name=f"{name}_query_tokens", dtype=dtype)(_linear(x, width, f"{name}_query", dtype))
    if reduction > 1:
        x = PatchConvolution(width, reduction, kernel_initializer=Normal(), name=f"{name}_reduce", dtype=dtype)(x)
        x = _norm(x, f"{name}_reduce_norm", dtype)
    both = ToTokens(name=f"{name}_key_value_tokens", dtype=dtype)(_linear(x, 2 * width, f"{name}_key_value", dtype))
    keys, values = ops.split(both, 2, axis=-1)
    x = Attention(heads, name=f"{name}_attention", dtype=dtype)(queries, keys, values)
    x = ToGrid(name=f"{name}_grid", dtype=dtype)(x, inputs)
    return _linear(x, width, f"{name}_project", dtype)


def _feed_forward(inputs: Any, hidden: int, *, name: str, dtype: Any) -> Any:
    """Return the feed-forward branch with a depthwise convolution inside (section 3.1, "Mix-FFN")."""
    x = _norm(inputs, f"{name}_norm2", dtype)
    x = _linear(x, hidden, f"{name}_expand", dtype)
    x = DepthwiseConvolution(
        3, use_bias=True, depthwise_initializer=Normal(math.sqrt(2 / 9)), name=f"{name}_depthwise", dtype=dtype
    )(x)
    x = GELU(name=f"{name}_gelu", dtype=dtype)(x)
    return _linear(x, inputs.shape[-1], f"{name}_contract", dtype)


def _add(inputs: Any, branch: Any, rate: float, name: str, dtype: Any) -> Any:
    if rate:
        branch = keras.layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop", dtype=dtype)(branch)
    return keras.layers.Add(name=f"{name}_add", dtype=dtype)([inputs, branch])


def _linear(inputs: Any, filters: int, name: str, dtype: Any) -> Any:
    return Convolution(filters, 1, use_bias=True, kernel_initializer=Normal(0.02), name=name, dtype=dtype)(inputs)


def _norm(inputs: Any, name: str, dtype: Any) -> Any:
    return keras.layers.LayerNormalization(epsilon=_EPSILON, name=name, dtype=dtype)(inputs)
