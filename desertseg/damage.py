"""What known mistakes make of raw ids, so that an error can name the cause."""

from __future__ import annotations

import numpy as np


def recognise_damage(found: np.ndarray, ids: np.ndarray, num_classes: int) -> str | None:
    """Return the cause, and what to do, where values are what a known mistake makes of `ids`; else None.

    Args:
        found: the distinct values of a mask, integers.
        ids: every raw id that the label map defines.
        num_classes: of the label map.
    """
    if ids.max() > 255 and found.max() <= 255:
        damages = {
            "the high byte kept": ids >> 8,
            "clipped at 255": ids.clip(max=255),
            "the low byte kept": ids & 255,
        }
        for how, values in damages.items():
            if np.isin(found, values).all():
                return (
                    f"its values look like 16-bit ids read as 8 bit ({how}), so the ids are lost; take the "
                    "original 16-bit mask and read it unchanged (cv2.IMREAD_UNCHANGED; tf.uint16)"
                )
    if found.max() < num_classes:
        return "its values look like class indices, not raw ids; export the mask with its raw ids"
    return None
