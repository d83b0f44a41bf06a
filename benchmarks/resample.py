"""What does the affine augmentation of a batch cost, against cv2.warpAffine on the same frames?

    python benchmarks/resample.py [--backend jax|tensorflow] [--load-size 288x480] [--size 192x320] [--repeats 15]

Images bilinear and labels nearest, a turned and zoomed crop, compiled by XLA. Rows alternate; a figure is the median of
the repeats for the whole batch. The ratio is OpenCV's time to the row's, so more is faster.

Measured on one core that other work shared: on JAX 11 ms (5 to 6 ms undisturbed), on TensorFlow 7 ms, OpenCV 2.6 ms.
Tried and left: RGB and label packed into one word, unpacked by shifts 17.5 ms, by bitcast 4.8 ms (JAX alone has it).
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
from timing import read_options, time_in_turns

from desertseg.backend import use_backend


def main() -> None:
    options = read_options(__doc__, load_size="288x480", size="192x320")
    use_backend(options.backend)
    measure(options.batch_size, options.load_size, options.size, options.repeats)


def measure(batch_size: int, load_size: tuple[int, ...], size: tuple[int, ...], repeats: int) -> None:
    """Print the table."""
    import keras

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch_size, *load_size, 3), np.uint8)
    labels = rng.integers(0, 10, (batch_size, *load_size), np.uint8)
    affine = np.tile(np.float32([[1.3, 0.05, 4], [-0.05, 1.4, 13]]), (batch_size, 1, 1))
    compiled = compile_resample(size)
    tensors = [keras.ops.convert_to_tensor(v) for v in (images, affine, labels)]

    def warp() -> None:
        for image, label, matrix in zip(images, labels, affine, strict=True):
            cv2.warpAffine(image.astype(np.float32), matrix, size[::-1], flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR)
            cv2.warpAffine(label, matrix, size[::-1], flags=cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST, borderValue=255)

    rows = {"opencv": warp, "ours": lambda: compiled(*tensors)}
    median = time_in_turns(rows, repeats)
    print(f"{batch_size} frames {load_size} -> {size}, {keras.backend.backend()}")
    for name in rows:
        print(f"{name:<8} {1e3 * median[name]:8.1f} ms   {median['opencv'] / median[name]:5.2f} x opencv")


def compile_resample(size: tuple[int, ...]):
    """Return a compiled (images, affine, labels) -> None that waits for the result."""
    import keras

    from desertseg.augment import resample

    if keras.backend.backend() == "jax":
        import jax

        function = jax.jit(lambda images, affine, labels: resample(images, affine, size, labels))
        return lambda *batch: jax.block_until_ready(function(*batch))
    import tensorflow as tf

    function = tf.function(lambda images, affine, labels: resample(images, affine, size, labels), jit_compile=True)
    return lambda *batch: [v.numpy() for v in function(*batch)]


if __name__ == "__main__":
    main()
