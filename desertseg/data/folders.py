"""Find frames: pair images with masks by stem, tell splits apart, and name what has no partner.

These layouts are known, in any letter case and below any number of folders that hold nothing else:

    train/Color_Images + train/Segmentation     Falcon, likewise val and test; or images + masks in each split
    Color_Images + Segmentation                 one folder without splits, likewise images + masks
    images/train + masks/train                  splits below the kinds
    Offroad_Segmentation_testImages/...         Falcon's test folder, the split "test"
    *.png                                       images alone, where no masks are asked for
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from desertseg.data.errors import DataError
from desertseg.data.read import IMAGE_SUFFIXES

IMAGE_FOLDERS = ("color_images", "images", "image", "imgs", "img", "rgb")
_MASK_FOLDERS = ("segmentation", "masks", "mask", "labels", "annotations")
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing", "offroad_segmentation_testimages"), "test"),
}
_WHOLE = ""  # the key of a folder that has no splits
_MOST_BRANCHINGS = 3  # how many folders with several subfolders lie above a data set
_HELD_OUT = 5  # every fifth part of a scene is held out where a folder has no splits

_Pair = tuple[Path, Path | None]  # the folder of images, the folder of masks


@dataclass(frozen=True)
class Frame:
    """One frame on disk.

    Attributes:
        image: its image file.
        mask: its mask file, or None.
        name: the stem of the image file; below subfolders with those before it, as in "creek/creek_0001".
        scene: which drive it belongs to: the subfolder, or else the stem up to its first digit ("cc0000016" -> "cc").
    """

    image: Path
    mask: Path | None
    name: str
    scene: str = ""


def find_frames(data: str | Path, split: str | None = None, *, masks: bool = True) -> list[Frame]:
    """Return the frames of a data folder, sorted by name.

    Args:
        data: a folder in one of the layouts above.
        split: "train", "val", "test", or None for all frames. A folder without split folders is cut by this rule: of
            each scene the last fifth by name, at least one frame, is "val", and the rest is "train". So no val frame
            lies between train frames of one drive.
        masks: whether each frame must have a mask and each mask a frame; otherwise masks are taken where they are.

    Raises:
        DataError: no such folder or split, nothing in it, a stem twice, or an image or a mask without its partner.
    """
    root = _checked_folder(data)
    layout = _find_layout(root)
    if not layout:
        raise DataError(
            f"data folder {root} holds no images; expected Color_Images + Segmentation, or images + masks, with or "
            "without train and val above them, or a folder of images alone"
        )
    itself = _SPLITS.get(root.name.lower())
    if _WHOLE in layout and itself in ("val", "test"):  # .../val itself was given: nothing is to be cut from it
        layout = {str(itself): layout[_WHOLE]}
    if split is None:
        return sorted((f for pair in layout.values() for f in _pair(*pair, masks)), key=lambda f: f.name)
    if _WHOLE in layout:
        return _cut(_pair(*layout[_WHOLE], masks), root, split)
    wanted = _SPLITS.get(split.lower(), split)
    if wanted not in layout:
        hint = "; to cut val from train, give the train folder alone" if wanted == "val" and "train" in layout else ""
        raise DataError(f"data folder {root} has no split '{split}'; it has {', '.join(sorted(layout))}{hint}")
    return _pair(*layout[wanted], masks)


def find_images(sources: Iterable[str | Path]) -> list[Path]:
    """Return image files in the order of `sources`, each once.

    Args:
        sources: files (taken as they are), folders (their images, by name; of a data folder the images of all its
            splits) and glob patterns.

    Raises:
        DataError: a source that matches nothing.
    """
    found: dict[Path, Path] = {}
    for source in [sources] if isinstance(sources, (str, Path)) else sources:
        images = list(_expand(Path(source).expanduser()))
        if not images:
            raise DataError(f"no images in {source}; give image files, folders of images or glob patterns")
        for image in images:
            found.setdefault(image.resolve(), image)
    return list(found.values())


def _expand(source: Path) -> Iterator[Path]:
    if os.path.isfile(source):
        yield source
    elif os.path.isdir(source):
        for images, _ in _find_layout(source).values():
            yield from (path for _, path in _scan(images))
    elif glob.has_magic(str(source)):
        for match in sorted(glob.glob(str(source), recursive=True)):
            path = Path(match)
            if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
                yield from _expand(path)
    else:
        raise DataError(f"{source} does not exist; give image files, folders of images or glob patterns")


def _checked_folder(data: str | Path) -> Path:
    root = Path(data).expanduser()
    if os.path.isfile(root):  # unlike Path's methods, these raise nothing where a parent may not be read
        raise DataError(f"data {root} is a file; expected a folder of frames")
    if not os.path.isdir(root):
        raise DataError(f"data folder {root} does not exist or may not be read; check the path")
    return root


def _find_layout(folder: Path, branchings: int = 0) -> dict[str, _Pair]:
    """Return the image and mask folders of each split below `folder`; the key is "" where there are no splits."""
    children = {c.name.lower(): c for c in _subfolders(folder)}
    images = next((children[n] for n in IMAGE_FOLDERS if n in children), None)
    if images:
        masks = next((children[n] for n in _MASK_FOLDERS if n in children), None)
        return _layout_of_kinds(images, masks)
    layout: dict[str, _Pair] = {}
    branchings += len(children) > 1
    for name, child in children.items() if branchings <= _MOST_BRANCHINGS else ():
        for split, pair in _find_layout(child, branchings).items():
            key = split or _SPLITS.get(name, _WHOLE)
            if key not in layout:
                layout[key] = pair
            elif key == _WHOLE and pair[1] is None and layout[key][1] is None:
                layout[key] = (folder, None)  # images alone in several folders, such as one a scene
            else:
                raise DataError(f"{folder} holds several data sets, {layout[key][0]} and {pair[0]}; give one of them")
    if set(layout) - {_WHOLE}:
        layout.pop(_WHOLE, None)  # images beside the splits, such as pictures of them
    elif _has_images(folder) and not any(masks for _, masks in layout.values()):
        layout = {_WHOLE: (folder, None)}
    return layout


def _layout_of_kinds(images: Path, masks: Path | None) -> dict[str, _Pair]:
    splits = {_SPLITS[c.name.lower()]: c for c in _subfolders(images) if c.name.lower() in _SPLITS}
    if not splits or _has_images(images):
        return {_WHOLE: (images, masks)}
    below = {_SPLITS.get(c.name.lower()): c for c in _subfolders(masks)} if masks else {}
    return {split: (folder, below.get(split)) for split, folder in splits.items()}


def _list(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda e: e.name)
    except OSError as error:
        raise DataError(f"folder {folder} cannot be read: {error.strerror}; check that you may read it") from error


def _subfolders(folder: Path) -> list[Path]:
    return [folder / e.name for e in _list(folder) if e.is_dir() and not e.name.startswith((".", "__"))]


def _has_images(folder: Path) -> bool:
    return any(_is_image(e.name) for e in _list(folder))


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith(".")


def _scan(folder: Path, prefix: str = "") -> list[tuple[str, Path]]:
    """Return (stem, path) of every image at or below `folder`, sorted; a stem carries its subfolders."""
    found = []
    for entry in _list(folder):
        if _is_image(entry.name):
            found.append((prefix + os.path.splitext(entry.name)[0], folder / entry.name))
        elif entry.is_dir() and not entry.name.startswith((".", "__")):
            found += _scan(folder / entry.name, f"{prefix}{entry.name}/")
    return sorted(found)


def _by_stem(folder: Path) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for stem, path in _scan(folder):
        if stem in stems:
            raise DataError(
                f"folder {folder} holds '{stem}' twice, as {stems[stem].name} and {path.name}; remove one of them"
            )
        stems[stem] = path
    return stems


def _pair(images: Path, masks: Path | None, need_masks: bool) -> list[Frame]:
    by_stem = _by_stem(images)
    if not by_stem:
        raise DataError(
            f"folder {images} holds no images; expected files that end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    if need_masks and masks is None:
        raise DataError(
            f"folder {images} holds images without masks; give the folder that holds both, images and masks"
        )
    masks_by_stem = _by_stem(masks) if masks else {}
    if need_masks:
        _refuse_single("image", by_stem, "mask", masks_by_stem, masks)
        _refuse_single("mask", masks_by_stem, "image", by_stem, images)
    return [Frame(image, masks_by_stem.get(stem), stem, _scene(stem)) for stem, image in by_stem.items()]


def _refuse_single(
    one: str, having: dict[str, Path], other: str, partners: dict[str, Path], where: Path | None
) -> None:
    single = [stem for stem in having if stem not in partners]
    if single:
        stem, more = single[0], f" (and {len(single) - 1} more {one}s have none)" if len(single) > 1 else ""
        raise DataError(f"{one} {having[stem]} has no {other}{more}; add {where}/{stem}.* or remove the {one}")


def _scene(stem: str) -> str:
    folder, _, name = stem.rpartition("/")
    prefix = re.match(r"\D*", name)
    return folder or (prefix.group().strip("_-. ") if prefix else "")


def _cut(frames: list[Frame], root: Path, split: str) -> list[Frame]:
    """Return the train or val part of frames that lie in one folder, by the rule of `find_frames`."""
    if split not in ("train", "val"):
        raise DataError(f"data folder {root} has no split '{split}'; without split folders it has train and val")
    if len(frames) < 2:
        raise DataError(f"data folder {root} holds one frame; to cut train and val from it, give two or more")
    scenes: dict[str, list[Frame]] = {}
    for frame in frames:
        scenes.setdefault(frame.scene, []).append(frame)
    loners = [block.pop() for block in scenes.values() if len(block) == 1]  # together they make a scene
    if len(loners) == 1:
        next(block for block in scenes.values() if block).extend(loners)
    else:
        scenes["/"] = loners
    chosen = []
    for block in scenes.values():
        held_out = -(-len(block) // _HELD_OUT)
        cut = len(block) - held_out
        chosen += block[:cut] if split == "train" else block[cut:]
    return sorted(chosen, key=lambda f: f.name)
