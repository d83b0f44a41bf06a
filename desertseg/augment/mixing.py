"""Mix the samples of a batch: boxes (CutMix) and rare classes (copy-paste) taken from a partner."""

from __future__ import annotations


def mix(images, labels, parameters):
    """Return images and labels with what their partners give.

    Args:
        images: float32 (B, H, W, 3).
        labels: integer (B, H, W).
        parameters: "partner" int32 (B,), the sample that gives; "cutmix" float32 (B, 4), a box (top, left, bottom,
            right) in pixels, empty for none; "paste" (B, C), the classes that are pasted. Either effect's key may be
            missing, and all three with both; other keys are ignored.

    Returns:
        images and labels, of their shapes and dtypes.
    """
    return images, labels
