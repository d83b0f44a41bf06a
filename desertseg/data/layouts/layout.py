"""What a layout is: for each split, where the images and masks lie and how one is paired with the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from desertseg.data.errors import DataError
from desertseg.data.frame import Frame, name_scene
from desertseg.data.layouts.tree import walk_images
from desertseg.data.read import IMAGE_SUFFIXES

WHOLE = ""  # the key of a folder that has no splits
_HELD_OUT = 5  # every fifth part of a scene is held out where a folder has no splits


@dataclass(frozen=True)
class Files:
    """Images or masks: those files below a folder that have a name.

    Attributes:
        folder: where they lie, at any depth.
        name: what a file is called, by its path below the folder without its suffix; None for one that is no such file.
        enter: whether to look into a subfolder, by its path below the folder.
    """

    folder: Path
    name: Callable[[str], str | None] = lambda path: path
    enter: Callable[[str], bool] = lambda path: True

    def scan(self) -> dict[str, list[Path]]:
        """Return {name: files of that name}, sorted by name; more than one file is a fault of the data."""
        found: dict[str, list[Path]] = {}
        for path, file in walk_images(self.folder, self.enter):
            name = self.name(path)
            if name is not None:
                found.setdefault(name, []).append(file)
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Part:
    """The frames of one split.

    Attributes:
        layout: name of the layout.
        images: by the frames' names.
        masks: by what `key` makes of the frame's name; or None.
        key: frame's name -> its mask's name.
        scene: frame's name -> the drive it belongs to.
        partial: whether it is no fault that images have no mask.
        listed: the names that a list demands, or None; one without an image is then a fault.
        only: what the split is made of, such as its sequences, for messages.
        without_masks: what to do where there are no masks.
        withheld: whether nobody has the masks; the part is then no frame of "all frames with masks".
    """

    layout: str
    images: Files
    masks: Files | None = None
    key: Callable[[str], str] = lambda name: name
    scene: Callable[[str], str] = name_scene
    partial: bool = False
    listed: frozenset[str] | None = None
    only: str = ""
    without_masks: str = "give the folder that holds both, images and masks"
    withheld: bool = False

    def frames(self, masks: bool = True) -> list[Frame]:
        """Return the frames by name.

        Args:
            masks: whether each must have a mask and each mask an image; else masks are taken where they are.

        Raises:
            DataError: no images, a name twice, or an image or a mask without its partner.
        """
        images = _unique(self.images)
        self._refuse_missing(images)
        if masks and self.masks is None:
            raise DataError(f"folder {self.images.folder} holds images without masks; {self.without_masks}")
        found = _unique(self.masks) if self.masks else {}
        keys = {name: self.key(name) for name in images}
        if masks and self.masks:
            if not self.partial:
                _refuse_single("image", images, keys, "mask", found, self.masks.folder)
            names = dict.fromkeys(keys.values(), self.images.folder)
            _refuse_single("mask", found, {key: key for key in found}, "image", names, self.images.folder)
        frames = [Frame(path, found.get(keys[name]), name, self.scene(name)) for name, path in images.items()]
        return [f for f in frames if f.mask] if masks and self.partial else frames

    def _refuse_missing(self, images: Mapping[str, Path]) -> None:
        folder = self.images.folder
        if not images:
            raise DataError(
                f"folder {folder} holds no images{f' of {self.only}' if self.only else ''}; expected files that end in "
                f"{', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        missing = sorted((self.listed or frozenset()) - images.keys())
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise DataError(f"folder {folder} lacks {missing[0]}{more}, of {self.only}; fetch what is missing")


@dataclass(frozen=True)
class Layout:
    """A data folder that was recognised.

    Attributes:
        name: "falcon", "rugd", "rellis3d", "goose", "tas500", "ycor", "freiburg_forest"; "folders" for images/ + masks/
            of anybody, "images" for images alone, "lists" for list files.
        root: the folder that was given.
        parts: by split, "train", "val", "test"; or one alone, under "", where there are none.
        labels: the shipped label map of such data, or None where the layout does not tell.
        whole: all frames at once, where that is more than the parts, or quicker; else None.
        uncut: why "train" and "val" must not be cut from frames without splits; "" where they may.
    """

    name: str
    root: Path
    parts: Mapping[str, Part]
    labels: str | None = None
    whole: Part | None = None
    uncut: str = field(default="", repr=False)

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of its splits, none where train and val are cut by rule."""
        return tuple(sorted(s for s in self.parts if s != WHOLE))

    def frames(self, split: str | None = None, *, masks: bool = True) -> list[Frame]:
        """Return the frames of a split, or all of them, as `find_frames` does."""
        if split is None:
            return self.whole.frames(masks) if self.whole else self._gather(masks)
        wanted = SPLITS.get(split.lower(), split)
        if wanted in self.parts:
            return self.parts[wanted].frames(masks)
        if WHOLE in self.parts:
            if self.uncut:
                raise DataError(f"data folder {self.root} has no split '{split}': {self.uncut}")
            return _cut(self.parts[WHOLE].frames(masks), self.root, split)
        cuttable = wanted == "val" and "train" in self.parts
        hint = "; to cut val from train, give the train folder alone" if cuttable else ""
        raise DataError(f"data folder {self.root} has no split '{split}'; it has {', '.join(self.splits)}{hint}")

    def _gather(self, masks: bool) -> list[Frame]:
        """Return the frames of all splits; where two share a name, the split stands before it."""
        parts = {split: p for split, p in self.parts.items() if not (masks and p.withheld)}
        found = [(split, f) for split, part in parts.items() for f in part.frames(masks)]
        count = Counter(f.name for _, f in found)
        frames = [replace(f, name=f"{split}/{f.name}") if count[f.name] > 1 else f for split, f in found]
        return sorted(frames, key=lambda f: f.name)


SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing", "offroad_segmentation_testimages"), "test"),
}


def _unique(files: Files) -> dict[str, Path]:
    found = {}
    for name, paths in files.scan().items():
        if len(paths) > 1:
            raise DataError(
                f"folder {files.folder} holds '{name}' twice, as {paths[0].name} and {paths[1].name}; "
                "remove one of them"
            )
        found[name] = paths[0]
    return found


def _refuse_single(
    one: str,
    having: Mapping[str, Path],
    keys: Mapping[str, str],
    other: str,
    partners: Mapping[str, Path],
    where: Path,
) -> None:
    single = [name for name in having if keys[name] not in partners]
    if single:
        name, more = single[0], f" (and {len(single) - 1} more {one}s have none)" if len(single) > 1 else ""
        raise DataError(f"{one} {having[name]} has no {other}{more}; add {where}/{keys[name]}.* or remove the {one}")


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
