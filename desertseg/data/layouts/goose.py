"""GOOSE (Mortimer et al., ICRA 2024) and GOOSE-Ex (Hagmanns et al., 2024), https://goose-dataset.de.

    images/<split>/<scenario>/<stem>_windshield_vis.png     GOOSE; beside it _windshield_nir.png, which is not read
    images/<split>/<scenario>/<stem>_camera_left.png        GOOSE-Ex, or _front.png, _realsense.png
    labels/<split>/<scenario>/<stem>_labelids.png           ids; beside it _color.png and _instanceids.png, not read

The archives hold one split each, goose_2d_train and so on; they may lie side by side. Test masks are withheld.
"""

from __future__ import annotations

import re
from pathlib import Path

from desertseg.data.layouts.layout import SPLITS, Files, Part
from desertseg.data.layouts.tree import named_subfolders, walk_images

NAME, EX_NAME = "goose", "goose_ex"
_CAMERA = re.compile(r"(.+)_(windshield_vis|camera_left|front|realsense)")
_MASK = "_labelids"


def recognise(folder: Path, children: dict[str, Path]) -> dict[str, Part] | None:
    """Return the parts of a folder with GOOSE's images and labels, or None."""
    if "images" not in children:
        return None
    splits = {SPLITS[n]: c for n, c in named_subfolders(children["images"]).items() if n in SPLITS}
    cameras = {split: _find_camera(images) for split, images in splits.items()}
    if not splits or None in cameras.values():
        return None
    masks = named_subfolders(children["labels"]) if "labels" in children else {}
    below = {SPLITS[n]: c for n, c in masks.items() if n in SPLITS}
    return {split: _make_part(split, str(cameras[split]), images, below.get(split)) for split, images in splits.items()}


def _find_camera(folder: Path) -> str | None:
    """Return the camera of the first image below a folder that one of the known cameras took."""
    for number, (path, _) in enumerate(walk_images(folder)):
        match = _CAMERA.fullmatch(path)
        if match:
            return match[2]
        if number > 1:  # of GOOSE, every other one is a near-infrared image
            break
    return None


def _make_part(split: str, camera: str, images: Path, masks: Path | None) -> Part:
    return Part(
        NAME if camera == "windshield_vis" else EX_NAME,
        Files(images, lambda path: path if _CAMERA.fullmatch(path) else None),
        Files(masks, _name_mask) if masks else None,
        key=lambda name: _CAMERA.sub(r"\1", name),
        withheld=masks is None and split == "test",
        without_masks=(
            "the masks of GOOSE's test frames are withheld; use the split val"
            if split == "test"
            else f"unpack the archive's labels/{split} beside its images/{split}"
        ),
    )


def _name_mask(path: str) -> str | None:
    return path.removesuffix(_MASK) if path.endswith(_MASK) else None
