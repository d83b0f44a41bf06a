"""What does a loss cost, forward and backward, against keras.losses.SparseCategoricalCrossentropy on the same batch?

    python benchmarks/loss.py [--backend jax|tensorflow] [--size 192x320] [--batch-size 8] [--repeats 15]

Compiled by XLA, as Keras' fit does on both backends. Rows alternate; a figure is the median of the repeats. The ratios
are the row's time to Keras' cross-entropy and to ours, so less is faster. `FocalDice` holds two losses on one softmax.

Measured on two cores that other work shared, 8 x 192 x 320, 10 classes, on JAX / TensorFlow, to `CrossEntropy`: Keras
1.16 / 0.77, label smoothing 1.4 / 1.25, focal 1.04 / 1.05, OHEM 1.2 / 1.2, boundary 1.0 / 1.0, Dice 1.6 / 1.3, Tversky
1.7 / 1.2, Lovasz 3.6 / 3.3, `FocalDice` 2.2 / 1.8. Dice's sums over pixels are what costs. Adding its overlap up by
label (segment_sum) saves a fifth of `FocalDice`, but adds float32 one by one and drifts on large batches. Lovasz with a
sort by class, as its authors have it, took 1.5 s here: 15 times the cross-entropy.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from timing import read_options, time_in_turns

from desertseg.backend import use_backend

CLASSES = 10


def main() -> None:
    options = read_options(__doc__, size="192x320")
    use_backend(options.backend)
    measure((options.batch_size, *options.size), options.repeats)


def measure(shape: tuple[int, int, int], repeats: int) -> None:
    """Print the table."""
    import keras

    from desertseg.losses import (
        OHEM,
        BoundaryCrossEntropy,
        CrossEntropy,
        Dice,
        Focal,
        FocalDice,
        LovaszSoftmax,
        Tversky,
    )

    rng = np.random.default_rng(0)
    logits = keras.ops.convert_to_tensor(rng.normal(size=(*shape, CLASSES)).astype(np.float32))
    labels = np.where(rng.random(shape) < 0.05, 255, rng.integers(0, CLASSES, shape)).astype(np.uint8)
    labels = keras.ops.convert_to_tensor(labels)
    weights = [1.0 + k for k in range(CLASSES)]
    peer = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255, name="keras")
    losses = [
        peer,
        CrossEntropy(),
        CrossEntropy(label_smoothing=0.1, name="label_smoothing"),
        Focal(),
        OHEM(),
        BoundaryCrossEntropy(),
        Dice(),
        Tversky(),
        LovaszSoftmax(),
        FocalDice(),
        FocalDice(class_weights=weights, name="weighted"),
    ]
    rows = {loss.name: differentiated(loss) for loss in losses}
    median = time_in_turns({name: partial(row, labels, logits) for name, row in rows.items()}, repeats)
    print(f"loss and gradient, {keras.backend.backend()}, {'x'.join(map(str, shape))}, {CLASSES} classes")
    for name in rows:
        ratios = "".join(f"   {median[name] / median[peer]:5.2f} x {peer}" for peer in ("keras", "cross_entropy"))
        print(f"{name:<16} {1e3 * median[name]:8.1f} ms{ratios}")


def differentiated(loss) -> Callable:
    """Return a compiled (labels, logits) -> loss that also computes the gradient, and waits for both."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        function = jax.jit(jax.value_and_grad(lambda logits, labels: loss(labels, logits)))
        return lambda labels, logits: jax.block_until_ready(function(logits, labels))
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def step(labels, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        return value, tape.gradient(value, logits)

    return lambda labels, logits: step(labels, logits)[0].numpy()


if __name__ == "__main__":
    main()
