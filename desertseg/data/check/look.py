"""What one look at a frame's files tells: everything that the checks need, small enough to keep none of the pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from desertseg.colors import pack_colors
from desertseg.data import png
from desertseg.data.errors import DataError
from desertseg.data.folders import Frame
from desertseg.data.hashing import hash_image
from desertseg.data.read import PILLOW_FAILS, as_gray, read_image, read_stored
from desertseg.labels import IGNORE_INDEX, LabelError, LabelMap

GRAY, GRAY_AS_RGB, PALETTE_IDS, PALETTE_COLORS, COLORS = (
    "raw ids in one channel",
    "raw ids in three equal channels",
    "palette indices that are raw ids",
    "palette colours",
    "colours",
)
_EXIF_ORIENTATION = 0x0112
_UNKNOWN = 254
_FLAT = 2  # gray levels that an image of one colour may span
_MOST_COLORS = 64  # unknown ones that are kept of one mask

Size = tuple[int, int]


@dataclass(frozen=True)
class ImageFacts:
    """One image: what is wrong with the file, or else its size (H, W), EXIF orientation, bits a channel and so on."""

    error: str = ""
    size: Size = (0, 0)
    orientation: int = 1
    depth: int = 8
    gray: bool = False
    alpha: bool = False
    constant: bool = False
    hash: int = 0
    digest: bytes = b""

    @property
    def stored_size(self) -> Size:
        """(H, W) before the EXIF orientation is followed."""
        return (self.size[1], self.size[0]) if self.orientation >= 5 else self.size


@dataclass(frozen=True)
class MaskFacts:
    """One mask.

    Attributes:
        error: what is wrong with the file, or "".
        size: (H, W).
        kind: how it stores classes: GRAY ...
        depth: bits a sample.
        ids: raw id -> pixels, also of unknown ids; empty where the mask stores colours.
        classes: int64 (C,) pixels of each class.
        ignored: pixels.
        colors: unknown colour -> pixels.
        ambiguous: whether a palette's indices and its colours both have a meaning, and not the same.
        digest: of the pixels.
    """

    error: str = ""
    size: Size = (0, 0)
    kind: str = GRAY
    depth: int = 8
    ids: dict[int, int] = field(default_factory=dict)
    classes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    ignored: int = 0
    colors: dict[tuple[int, int, int], int] = field(default_factory=dict)
    ambiguous: bool = False
    digest: bytes = b""


@dataclass(frozen=True)
class Seen:
    """A frame of a split and what its files told; `mask` is None where there is no file."""

    split: str
    frame: Frame
    image: ImageFacts
    mask: MaskFacts | None


class Lookup:
    """A label map as tables over all raw ids.

    Args:
        labels: the label map.
    """

    def __init__(self, labels: LabelMap) -> None:
        self.labels = labels
        self.table = np.full(1 << 16, _UNKNOWN, np.uint8)
        known = np.array([*(i for c in labels.classes for i in c.ids), *labels.ignore], np.int64)
        self.table[known] = labels.encode(known)

    def is_known(self, raw: int) -> bool:
        return self.table[raw] != _UNKNOWN

    def count(self, ids: dict[int, int]) -> tuple[np.ndarray, int]:
        """Return the pixels of each class, int64 (C,), and those ignored."""
        counts = np.zeros(256, np.int64)
        for raw, pixels in ids.items():
            counts[self.table[raw]] += pixels
        return counts[: self.labels.num_classes], int(counts[IGNORE_INDEX])

    @cached_property
    def colors(self) -> np.ndarray | None:
        """The class index of each of the 2^24 colours, or None where two classes share a colour."""
        try:
            return self.labels.color_table()
        except LabelError:
            return None


def look(split: str, frame: Frame, lookup: Lookup) -> Seen:
    """Return what a frame's files tell; never raises for what is in them."""
    return Seen(split, frame, look_at_image(frame.image), look_at_mask(frame.mask, lookup) if frame.mask else None)


def look_at_image(path: Path) -> ImageFacts:
    """Return what an image file tells."""
    try:
        pixels, header = read_image(path), _read_image_header(path)
    except (DataError, OSError) as error:
        return ImageFacts(error=_reason(error, path))
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    low, high, _, _ = cv2.minMaxLoc(gray)
    constant = high - low <= _FLAT
    return ImageFacts(
        size=gray.shape[:2], constant=constant, hash=int(hash_image(gray)), digest=_digest(pixels), **header
    )


def look_at_mask(path: Path, lookup: Lookup) -> MaskFacts:
    """Return what a mask file tells."""
    try:
        pixels, palette = read_stored(path)
        facts: dict[str, Any] = {"size": pixels.shape[:2], "depth": _depth(path, pixels), "digest": _digest(pixels)}
        if palette is not None:
            return MaskFacts(**facts, **_count_palette(pixels, palette, lookup, path))
        gray = as_gray(pixels)
        if gray is not None:
            return MaskFacts(**facts, kind=GRAY if pixels.ndim == 2 else GRAY_AS_RGB, **_count_ids(gray, lookup, path))
        if pixels.dtype != np.uint8:
            raise DataError(f"mask {path} is a colour image of {pixels.dtype}; give raw ids in one channel")
        return MaskFacts(**facts, kind=COLORS, **_count_colors(pixels[..., 2::-1], lookup))
    except (DataError, OSError) as error:
        return MaskFacts(error=_reason(error, path))


def _reason(error: Exception, path: Path) -> str:
    """Return an error's text without the file's name, which stands beside it."""
    text = str(error)
    for start in (f"image {path} ", f"mask {path} "):
        text = text.removeprefix(start)
    return text


def _digest(pixels: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()


def _read_image_header(path: Path) -> dict[str, Any]:
    from PIL import Image  # a tenth of a second that most users of this package do not need

    depth = 8
    with path.open("rb") as file:
        head = file.read(33)
        if head.startswith(png.SIGNATURE):
            depth = png.read_header(head).depth
    try:
        with Image.open(path) as image:
            has_exif = image.format != "PNG" or "exif" in image.info
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1) if has_exif else 1
            mode = image.mode
    except (*PILLOW_FAILS, Image.DecompressionBombError):  # what OpenCV reads and Pillow does not
        return {"depth": depth}
    return {
        "depth": 16 if mode.startswith("I") else depth,
        "orientation": orientation if orientation in range(2, 9) else 1,
        "gray": mode in ("1", "L", "LA", "F") or mode.startswith("I"),
        "alpha": mode.endswith("A"),
    }


def _depth(path: Path, pixels: np.ndarray) -> int:
    with path.open("rb") as file:
        head = file.read(33)
    return png.read_header(head).depth if head.startswith(png.SIGNATURE) else 8 * pixels.itemsize


def _count_ids(gray: np.ndarray, lookup: Lookup, path: Path) -> dict[str, Any]:
    if gray.dtype not in (np.uint8, np.uint16):
        raise DataError(f"mask {path} holds {gray.dtype} values; raw ids are whole numbers of 8 or 16 bits")
    counts = np.bincount(gray.ravel())
    ids = {int(i): int(counts[i]) for i in np.flatnonzero(counts)}
    classes, ignored = lookup.count(ids)
    return {"ids": ids, "classes": classes, "ignored": ignored}


def _count_colors(rgb: np.ndarray, lookup: Lookup) -> dict[str, Any]:
    packed = pack_colors(rgb)
    if lookup.colors is None:
        raise DataError(f"mask holds colours, but two classes of label map '{lookup.labels.name}' share one")
    indices = lookup.colors.take(packed)
    counts = np.bincount(indices.ravel(), minlength=256)
    colors = {}
    if counts[_UNKNOWN]:
        keys, pixels = np.unique(packed[indices == _UNKNOWN], return_counts=True)
        for i in np.argsort(-pixels)[:_MOST_COLORS]:
            colors[int(keys[i]) >> 16, int(keys[i]) >> 8 & 255, int(keys[i]) & 255] = int(pixels[i])
    return {
        "classes": counts[: lookup.labels.num_classes].astype(np.int64),
        "ignored": int(counts[IGNORE_INDEX]),
        "colors": colors,
    }


def _count_palette(indices: np.ndarray, palette: np.ndarray, lookup: Lookup, path: Path) -> dict[str, Any]:
    """Read a palette as `read_mask` does: its indices where they are all raw ids, else its colours."""
    found = _count_ids(indices, lookup, path)
    used = np.array(list(found["ids"]))
    in_colors = None
    if used.max() < len(palette) and lookup.colors is not None:
        in_colors = lookup.colors.take(pack_colors(palette[used]))
    if not (lookup.table[used] == _UNKNOWN).any():
        clear = in_colors is None or (in_colors == _UNKNOWN).any() or np.array_equal(in_colors, lookup.table[used])
        return {**found, "kind": PALETTE_IDS, "ambiguous": not clear}
    if in_colors is None or (in_colors == _UNKNOWN).all():  # its indices are what is unknown
        return {**found, "kind": PALETTE_IDS}
    return {"kind": PALETTE_COLORS, **_count_colors(palette[indices], lookup)}
