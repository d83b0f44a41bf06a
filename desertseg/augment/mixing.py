"""Mix the samples of a batch: boxes (CutMix) and rare classes (copy-paste) taken from a partner."""

from __future__ import annotations

from keras import ops

from desertseg.labels import IGNORE_INDEX


def mix(images, labels, parameters):
    """Return images and labels with what their partners give.

    CutMix (Yun et al., 2019) takes all that lies in a box, copy-paste (Ghiasi et al., 2021) the pixels of some classes.
    Both stay where they lie in the partner's picture, and both are the partner's as it came, before it is mixed itself.

    Args:
        images: float32 (B, H, W, 3).
        labels: integer (B, H, W). Pixels without a label, such as those outside a partner's frame, are never taken.
        parameters: "partner" int32 (B,), the sample that gives; "cutmix" float32 (B, 4), a box (top, left, bottom,
            right) in pixels, empty for none; "paste" bool or uint8 (B, C), the classes that are pasted, and
            "paste_over" (B, C), those that they may cover; if it is missing, all. An effect whose key is missing is
            off; other keys are ignored.

    Returns:
        images and labels, of their shapes and dtypes.
    """
    if "cutmix" not in parameters and "paste" not in parameters:
        return images, labels
    partner = ops.cast(parameters["partner"], "int32")
    others = ops.take(labels, partner, axis=0)
    taken = ops.zeros_like(labels, dtype="bool")
    if "cutmix" in parameters:
        taken = _in_box(labels, parameters["cutmix"]) & ops.not_equal(others, IGNORE_INDEX)
    if "paste" in parameters:
        paste = parameters["paste"]
        over = parameters.get("paste_over", ops.ones_like(paste))
        taken = taken | (_in_classes(others, paste) & _in_classes(labels, over))
    images = ops.where(ops.expand_dims(taken, -1), ops.take(images, partner, axis=0), images)
    return images, ops.where(taken, others, labels)


def _in_box(labels, box):
    """Return bool (B, H, W): the pixels of the box of their sample."""
    height, width = labels.shape[1:]
    top, left, bottom, right = (box[:, k, None, None] for k in range(4))
    y = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1))
    x = ops.arange(width, dtype="float32")
    return (y >= top) & (y < bottom) & (x >= left) & (x < right)


def _in_classes(labels, chosen):
    """Return bool (B, H, W): the pixels of the chosen classes of their sample."""
    # A pass for each class: XLA fuses them into one, and TensorFlow's kernels need a quarter of the time that they take
    # for one comparison with all classes.
    chosen = ops.cast(chosen, "bool")
    mask = ops.zeros_like(labels, dtype="bool")
    for index in range(chosen.shape[1]):
        mask = mask | (ops.equal(labels, index) & chosen[:, index, None, None])
    return mask
