"""DINOv2's vision transformers, for pictures of any height and width that 14 divides.

Layer names, for whoever copies weights (Facebook's name on the right):

    patch_embed                                    patch_embed.proj
    class_token, register_tokens, position_embed   cls_token, register_tokens, pos_embed
    block{i}_norm1, block{i}_norm2                 blocks.{i-1}.norm1, blocks.{i-1}.norm2
    block{i}_qkv, block{i}_project                 blocks.{i-1}.attn.qkv, blocks.{i-1}.attn.proj
    block{i}_scale1, block{i}_scale2               blocks.{i-1}.ls1, blocks.{i-1}.ls2
    block{i}_expand, block{i}_contract             blocks.{i-1}.mlp.fc1 or .w12, blocks.{i-1}.mlp.fc2 or .w3
    norm                                           norm

Sources: Oquab et al. 2023, "DINOv2: Learning Robust Visual Features without Supervision"; Darcet et al. 2023, "Vision
Transformers Need Registers".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from desertseg.layers import (
    GELU,
    Attention,
    DropTokens,
    LayerScale,
    Normal,
    PatchConvolution,
    PositionEmbedding,
    PrependTokens,
    SplitChannels,
    SwiGLU,
    ToGrid,
    ToTokens,
)
from desertseg.models.errors import ModelError
from desertseg.models.network import Network

PATCH = 14
_EPSILON = 1e-6


@keras.saving.register_keras_serializable("desertseg")
class DINOv2(Network):
    """A DINOv2 vision transformer that returns the patch tokens of chosen blocks. The defaults are ViT-S/14.

    ViT-B/14 is `width=768, num_heads=12`; L `width=1024, depth=24, num_heads=16`; g `width=1536, depth=40,
    num_heads=24, swiglu=True`.

    Args:
        width: channels of the tokens.
        depth: transformer blocks.
        num_heads: of the attention; they divide the width.
        mlp_ratio: hidden channels of the feed-forward part, in widths.
        swiglu: a gated feed-forward part, of two thirds of the hidden channels, rounded up to a multiple of 8.
        num_registers: tokens without a place besides the class token; 4 in the networks with registers.
        features: blocks whose tokens are returned: a number n for n evenly spaced ones that end with the last, or
            their numbers, counted from 1; the last block is among them.
        position_grid: side of the square of position embeddings; 37 is 518 pixels, as published.
        position_antialias, position_offset: how they are resized to the picture, see `resize_bicubic`. None is as
            published: without registers no anti-aliasing and an offset of 0.1, with registers anti-aliasing and none.
            Hugging Face has no offset; timm has anti-aliasing and no offset with either.
        layer_scale: factor of the residual branches at the start.
        drop_path: rate at which a residual branch is left out, picture by picture, while training, the same in all
            blocks. 0 by default: the mask is hidden state, which a resumed run would not repeat.
        dtype: dtype policy.

    Returns, when called with (B, H, W, 3): dict "block{n}" (B, H/14, W/14, width) of the chosen blocks in order, after
    the final normalisation, without class token and registers.

    Raises:
        ModelError: heads that do not divide the width, blocks that are not there, or, when called, a size that 14 does
            not divide.
    """

    output_stride = PATCH
    size_multiple = PATCH

    def __init__(
        self,
        width: int = 384,
        depth: int = 12,
        num_heads: int = 6,
        mlp_ratio: float = 4.0,
        swiglu: bool = False,
        num_registers: int = 0,
        features: int | Sequence[int] = 1,
        position_grid: int = 37,
        position_antialias: bool | None = None,
        position_offset: float | None = None,
        layer_scale: float = 1e-5,
        drop_path: float = 0.0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if width % num_heads:
            raise ModelError(f"{num_heads} heads do not divide a width of {width}; choose heads that do")
        chosen = choose_blocks(features, depth)
        antialias = bool(num_registers) if position_antialias is None else position_antialias
        offset = (0.0 if num_registers else 0.1) if position_offset is None else position_offset
        inputs = keras.Input((None, None, 3))
        patches = PatchConvolution(width, PATCH, kernel_initializer=Normal(0.02), name="patch_embed", dtype=dtype)(
            inputs
        )
        x = ToTokens(name="tokens", dtype=dtype)(patches)
        x = PrependTokens(name="class_token", dtype=dtype)(x)
        x = PositionEmbedding(position_grid, antialias, offset, name="position_embed", dtype=dtype)(x, patches)
        if num_registers:
            # Before the class token, not behind it: without a place their order means nothing.
            x = PrependTokens(num_registers, name="register_tokens", dtype=dtype)(x)
        norm = keras.layers.LayerNormalization(epsilon=_EPSILON, name="norm", dtype=dtype)
        outputs = {}
        for index in range(1, depth + 1):
            block = _Block(f"block{index}", layer_scale, drop_path, dtype)
            x = block.add(x, block.attend(x, num_heads), 1)
            x = block.add(x, block.feed_forward(x, int(width * mlp_ratio), swiglu), 2)
            if index in chosen:
                places = DropTokens(1 + num_registers, name=f"feature{index}_places", dtype=dtype)(norm(x))
                outputs[f"block{index}"] = ToGrid(name=f"feature{index}", dtype=dtype)(places, patches)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self._remember(
            dtype,
            width=width,
            depth=depth,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
            swiglu=swiglu,
            num_registers=num_registers,
            features=features if isinstance(features, int) else tuple(features),
            position_grid=position_grid,
            position_antialias=antialias,
            position_offset=offset,
            layer_scale=layer_scale,
            drop_path=drop_path,
        )

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        check_size(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        check_size(inputs)  # JAX's trainer comes here without __call__
        return super().call(inputs, *args, **kwargs)


class _Block:
    """One transformer block's layers: their names, dtype policy, and what surrounds each residual branch."""

    def __init__(self, name: str, layer_scale: float, drop_path: float, dtype: Any) -> None:
        self.name, self.layer_scale, self.drop_path, self.dtype = name, layer_scale, drop_path, dtype

    def attend(self, inputs: Any, num_heads: int) -> Any:
        width = inputs.shape[-1]
        queries, keys, values = self._layer(SplitChannels, "split", 3)(
            self._dense(self._norm(inputs, 1), 3 * width, "qkv")
        )
        x = self._layer(Attention, "attention", num_heads)(queries, keys, values)
        return self._dense(x, width, "project")

    def feed_forward(self, inputs: Any, hidden: int, swiglu: bool) -> Any:
        x = self._norm(inputs, 2)
        if swiglu:
            hidden = (int(hidden * 2 / 3) + 7) // 8 * 8
            x = self._layer(SwiGLU, "gate")(self._dense(x, 2 * hidden, "expand"))
        else:
            x = self._layer(GELU, "gelu")(self._dense(x, hidden, "expand"))
        return self._dense(x, inputs.shape[-1], "contract")

    def add(self, inputs: Any, branch: Any, place: int) -> Any:
        """Return inputs + scaled branch; `place` is 1 behind the attention, 2 behind the feed-forward part."""
        branch = self._layer(LayerScale, f"scale{place}", self.layer_scale)(branch)
        if self.drop_path:
            branch = self._layer(keras.layers.Dropout, f"drop{place}", self.drop_path, noise_shape=(None, 1, 1))(branch)
        return self._layer(keras.layers.Add, f"add{place}")([inputs, branch])

    def _norm(self, inputs: Any, place: int) -> Any:
        return self._layer(keras.layers.LayerNormalization, f"norm{place}", epsilon=_EPSILON)(inputs)

    def _dense(self, inputs: Any, units: int, part: str) -> Any:
        return self._layer(keras.layers.Dense, part, units, kernel_initializer=Normal(0.02))(inputs)

    def _layer(self, kind: type[keras.layers.Layer], part: str, *args: Any, **kwargs: Any) -> keras.layers.Layer:
        return kind(*args, name=f"{self.name}_{part}", dtype=self.dtype, **kwargs)


def choose_blocks(features: int | Sequence[int], depth: int) -> tuple[int, ...]:
    """Return the numbers of the chosen blocks, from 1, in order; see `DINOv2`.

    Raises:
        ModelError: no block, one that is not there, or not the last.
    """
    if isinstance(features, int):
        if not 1 <= features <= depth:
            raise ModelError(f"{features} features of a network of {depth} blocks; choose 1 to {depth}")
        return tuple(round(depth * k / features) for k in range(1, features + 1))
    chosen = tuple(sorted(set(features)))
    if not chosen or chosen[0] < 1 or chosen[-1] != depth:
        raise ModelError(
            f"features {tuple(features)} of a network of {depth} blocks; blocks count from 1, and the last, {depth}, "
            "has to be among them"
        )
    return chosen


def check_size(images: Any) -> None:
    """Raise if 14 does not divide a height or width; a TensorFlow graph that learns them only as it runs raises then.

    Raises:
        ModelError: the message names the nearest right sizes.
    """
    shape = tuple(getattr(images, "shape", None) or ())
    if len(shape) != 4:
        return
    height, width = shape[1:3]
    if any(n is not None and (n % PATCH or n == 0) for n in (height, width)):
        raise ModelError(
            f"images are {height}x{width} (height x width); DINOv2 takes multiples of {PATCH}: the nearest are "
            f"{_nearest(height, width, np.floor)} and {_nearest(height, width, np.ceil)}"
        )
    if None in (height, width) and keras.backend.backend() == "tensorflow" and not keras.utils.is_keras_tensor(images):
        _check_in_graph(images)


def _nearest(height: int | None, width: int | None, rounding: Any) -> str:
    return "x".join("any" if n is None else str(PATCH * max(1, int(rounding(n / PATCH)))) for n in (height, width))


def _check_in_graph(images: Any) -> None:
    import tensorflow as tf

    size = tf.shape(images)[1:3]
    lower = tf.maximum(size // PATCH, 1) * PATCH
    upper = tf.maximum(-(-size // PATCH), 1) * PATCH
    message = ["images have height and width", size, f"; DINOv2 takes multiples of {PATCH}: the nearest are"]
    tf.debugging.Assert(tf.reduce_all(size % PATCH == 0), [*message, lower, "and", upper])
