"""What an export computes: the segmenter, its mirror where that is asked for, and the choice of the class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from desertseg.engine.precision import compute_in
from desertseg.export.plan import Plan
from desertseg.models import Segmenter

_SMALLEST = 1e-30  # keeps the logarithm of a probability finite, as in `engine.inference`
# These formats compute in what the graph says. The others are written in float32, and their files compressed.
_COMPUTED = ("savedmodel", "stablehlo")


def as_computed(segmenter: Segmenter, plan: Plan) -> Segmenter:
    """Return the segmenter in the dtype that the graph of an export computes in."""
    return compute_in(segmenter, plan.dtype if plan.format in _COMPUTED else "float32")


def make_program(model: Segmenter, plan: Plan) -> Callable[[Any], Any]:
    """Return a function of images (B, H, W, 3) that a backend can trace: float32 logits, or uint8 labels.

    With a flip the logits are the logarithm of the mean of both views' probabilities, as `predict` takes it.

    Args:
        model: as `as_computed` returns it.
        plan: of the export.
    """

    def program(images: Any) -> Any:
        seen = ops.concatenate([images, _mirror(images)], axis=0) if plan.flip else images
        logits = ops.cast(model(seen, training=False), "float32")
        if plan.flip:
            count = ops.shape(images)[0]
            both = ops.softmax(logits[:count], axis=-1) + _mirror(ops.softmax(logits[count:], axis=-1))
            logits = ops.log(ops.maximum(both / 2, _SMALLEST))
        return ops.cast(_choose(logits), "uint8") if plan.answer == "labels" else logits

    return program


def _mirror(images: Any) -> Any:
    return images[:, :, ::-1]


def _choose(logits: Any) -> Any:
    """Return the class; Keras' own argmax on TensorFlow looks at the bits of its input, which no other runtime does."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.argmax(logits, axis=-1, output_type="int32")
    return ops.argmax(logits, axis=-1)
