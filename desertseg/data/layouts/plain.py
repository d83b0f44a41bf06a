"""Images beside masks, in folders of any usual name: Falcon's layout, and that of most people.

    Color_Images + Segmentation         Falcon
    images + masks                      or image, imgs, img, rgb; mask, labels, annotations, segmentation
    images/train + masks/train          splits below the kinds

The folders above tell the split, as in train/images; see `find.py`.
"""

from __future__ import annotations

from pathlib import Path

from desertseg.data.layouts.layout import SPLITS, WHOLE, Files, Part
from desertseg.data.layouts.tree import has_images, named_subfolders, subfolders

IMAGE_FOLDERS = ("color_images", "images", "image", "imgs", "img", "rgb")
_MASK_FOLDERS = ("segmentation", "masks", "mask", "labels", "annotations")


def recognise(folder: Path, children: dict[str, Path]) -> dict[str, Part] | None:
    """Return the parts of a folder that holds images beside masks, or images alone in a folder of that name."""
    images = next((children[n] for n in IMAGE_FOLDERS if n in children), None)
    if images is None:
        return None
    masks = next((children[n] for n in _MASK_FOLDERS if n in children), None)
    named = (images.name.lower(), masks.name.lower() if masks else "segmentation")
    layout = "falcon" if named == ("color_images", "segmentation") else "folders"
    splits = {SPLITS[c.name.lower()]: c for c in subfolders(images) if c.name.lower() in SPLITS}
    if not splits or has_images(images):
        return {WHOLE: make_part(layout, images, masks)}
    below = {SPLITS.get(name): c for name, c in named_subfolders(masks).items()} if masks else {}
    return {split: make_part(layout, c, below.get(split)) for split, c in splits.items()}


def make_part(layout: str, images: Path, masks: Path | None) -> Part:
    """Return the part of two folders in which files of one stem belong together."""
    return Part(layout, Files(images), Files(masks) if masks else None)
