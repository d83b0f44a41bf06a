"""Which mask is the truth of which image, where images were given as files and not as a data set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from desertseg.data.errors import DataError
from desertseg.data.folders import IMAGE_FOLDERS, find_frames, find_images


def find_truth(images: Iterable[Path], masks: str | Path | None = None) -> dict[Path, Path]:
    """Return the mask of each image that has one.

    Args:
        images: image files.
        masks: a folder of masks, or a data folder that has them; they are matched by stem. When None, the masks that
            lie beside the images in a data set's layout, as Segmentation beside Color_Images.

    Raises:
        DataError: `masks` is no folder, or holds none.
    """
    images = list(images)
    if masks is None:
        found: dict[Path, Path] = {}
        for folder in dict.fromkeys(image.parent for image in images):
            found |= _masks_beside(folder)
        return {image: found[image.resolve()] for image in images if image.resolve() in found}
    folder = Path(masks).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"--masks {masks} {what}; give a folder of masks, or a data folder that has them")
    paired = _pairs_below(folder)
    stems = {mask.stem: mask for mask in paired.values()} or {path.stem: path for path in find_images([folder])}
    return {image: stems[image.stem] for image in images if image.stem in stems}


def _masks_beside(folder: Path) -> dict[Path, Path]:
    """Return the masks by image of the data set whose images lie in `folder`, or in a split below its images."""
    folder = folder.resolve()
    for images in (folder, folder.parent):
        if images.name.lower() in IMAGE_FOLDERS:
            return _pairs_below(images.parent)
    return {}


def _pairs_below(folder: Path) -> dict[Path, Path]:
    try:
        frames = find_frames(folder, masks=False)
    except DataError:
        return {}
    return {frame.image.resolve(): frame.mask for frame in frames if frame.mask}
