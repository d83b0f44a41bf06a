"""What does each layer's own form gain over the plain Keras operation, forward and backward, on this backend?

    python benchmarks/layers.py [--backend jax|tensorflow] [--repeats 9] [--dtype float32|bfloat16]

Shapes are those of DeepLabV3+ ResNet-18 at 256x256, batch 4. Forms alternate; a figure is the median of the repeats,
the ratio is plain / ours, so more is faster. On TensorFlow the layers are the plain operations but for the padding and
the resizing, so every ratio is near 1 there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from desertseg.backend import use_backend
from desertseg.memory import keep_freed_memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="jax", choices=("jax", "tensorflow"))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    options = parser.parse_args()
    keep_freed_memory()
    use_backend(options.backend)
    from desertseg.layers import plain_forms

    print(f"{options.backend}, {options.dtype}; milliseconds, plain -> ours, median of {options.repeats}")
    print(f"{'layer':44} {'forward':>26}   {'forward + backward':>26}")
    for name, layer, shapes in cases(options.dtype):
        ours = compile_layer(layer, shapes, options.dtype)
        with plain_forms():
            plain = compile_layer(layer, shapes, options.dtype)
        cells = [compare(p, o, options.repeats) for p, o in zip(plain, ours, strict=True)]
        print(f"{name:44} {cells[0]:>26}   {cells[1]:>26}", flush=True)


def cases(dtype: str) -> list[tuple[str, Any, list[tuple[int, ...]]]]:
    """Return (name, layer, input shapes) of each row."""
    from desertseg.layers import Convolution, DepthwiseConvolution, MaxPooling, ResizeLike

    return [
        ("depthwise 3x3, 64x64x304", DepthwiseConvolution(3, dtype=dtype), [(4, 64, 64, 304)]),
        ("depthwise 3x3 dilated 12, 16x16x512", DepthwiseConvolution(3, 1, 12, dtype=dtype), [(4, 16, 16, 512)]),
        ("convolution 1x1, 64x64x304 -> 256", Convolution(256, 1, dtype=dtype), [(4, 64, 64, 304)]),
        ("convolution 3x3, 64x64x64 -> 64", Convolution(64, 3, dtype=dtype), [(4, 64, 64, 64)]),
        ("convolution 3x3, 16x16x256 -> 512", Convolution(512, 3, dtype=dtype), [(4, 16, 16, 256)]),
        ("convolution 3x3 dilated 2, 16x16x512 -> 512", Convolution(512, 3, 1, 2, dtype=dtype), [(4, 16, 16, 512)]),
        ("max-pooling 3x3/2, 128x128x64", MaxPooling(dtype=dtype), [(4, 128, 128, 64)]),
        ("resize x4 to 64x64x256", ResizeLike(dtype=dtype), [(4, 16, 16, 256), (4, 64, 64, 1)]),
        ("resize x4 to 256x256x10", ResizeLike(dtype=dtype), [(4, 64, 64, 10), (4, 256, 256, 1)]),
        ("resize x3.97 to 135x240x256", ResizeLike(dtype=dtype), [(1, 34, 60, 256), (1, 135, 240, 1)]),
    ]


def compile_layer(layer: Any, shapes: list[tuple[int, ...]], dtype: str) -> tuple[Callable, Callable]:
    """Return the compiled forward pass and the compiled forward pass with gradients, each without arguments."""
    import keras
    from keras import ops

    generator = np.random.default_rng(0)
    inputs = [ops.convert_to_tensor(generator.normal(size=shape), dtype) for shape in shapes]
    layer(*(keras.KerasTensor(shape, dtype) for shape in shapes))
    compiled = compile_jax if keras.backend.backend() == "jax" else compile_tensorflow
    return compiled(layer, inputs)


def compile_jax(layer: Any, inputs: list) -> tuple[Callable, Callable]:
    import jax

    weights = [v.value for v in layer.trainable_variables]

    def apply(weights, first):
        return layer.stateless_call(weights, [], first, *inputs[1:])[0]

    def differentiate(weights, first):
        outputs, pull_back = jax.vjp(apply, weights, first)
        return outputs, pull_back(outputs)

    programs = [jax.jit(f).lower(weights, inputs[0]).compile() for f in (apply, differentiate)]
    forward, both = (lambda p=p: jax.block_until_ready(p(weights, inputs[0])) for p in programs)
    return forward, both


def compile_tensorflow(layer: Any, inputs: list) -> tuple[Callable, Callable]:
    import tensorflow as tf

    @tf.function
    def apply():
        return layer(*inputs)

    @tf.function
    def differentiate():
        with tf.GradientTape() as tape:
            tape.watch(inputs[0])
            outputs = layer(*inputs)
        return outputs, tape.gradient(outputs, [inputs[0], *(v.value for v in layer.trainable_variables)], outputs)

    apply(), differentiate()
    return (lambda: apply().numpy()), (lambda: [t.numpy() for t in differentiate()[1]])


def compare(plain: Callable, ours: Callable, repeats: int) -> str:
    times: dict[Callable, list[float]] = {plain: [], ours: []}
    for repeat in range(repeats + 1):
        for run, found in times.items():
            start = time.perf_counter()
            run()
            if repeat:
                found.append(time.perf_counter() - start)
    before, after = (statistics.median(found) * 1e3 for found in times.values())
    return f"{before:8.1f} -> {after:6.1f}  x{before / after:5.2f}"


if __name__ == "__main__":
    main()
