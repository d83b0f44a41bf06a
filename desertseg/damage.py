"""What known mistakes make of raw ids, so that an error can name the cause."""

from __future__ import annotations

import numpy as np

ORIGINAL = "take the original 16-bit mask and read it unchanged (cv2.IMREAD_UNCHANGED; tf.uint16)"


def known_damages(ids: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each known mistake makes of raw ids: how -> the values, in the order of `ids`.

    Args:
        ids: raw ids that need 16 bits; of others nothing is known.
    """
    if not len(ids) or ids.max() <= 255:
        return {}
    return {
        "the high byte kept": ids >> 8,
        "clipped at 255": ids.clip(max=255),
        "the low byte kept": ids & 255,
        "scaled to 255": np.round(ids * (255 / ids.max())).astype(ids.dtype),
    }


def swap_bytes(ids: np.ndarray) -> np.ndarray:
    """Return 16-bit values with their two bytes exchanged, as where a file was written in the wrong byte order."""
    return (ids & 255) << 8 | ids >> 8


def recognise_damage(found: np.ndarray, ids: np.ndarray, num_classes: int) -> str | None:
    """Return the cause, and what to do, where values are what a known mistake makes of `ids`; else None.

    Args:
        found: the distinct values of a mask, integers.
        ids: every raw id that the label map defines.
        num_classes: of the label map.
    """
    if found.max() <= 255:
        for how, values in known_damages(ids).items():
            if np.isin(found, values).all():
                return f"its values look like 16-bit ids read as 8 bit ({how}), so the ids are lost; {ORIGINAL}"
    if found.max() < num_classes:
        return "its values look like class indices, not raw ids; export the mask with its raw ids"
    return None
