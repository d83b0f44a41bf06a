"""List files: which frames make a split, one a line, where folders do not say it.

    # desertseg list
    # data: ../falcon
    train/Color_Images/cc0000016.png<TAB>train/Segmentation/cc0000016.png

Paths are below the data folder; the `# data:` line says where that is, seen from the list, so that a folder of lists
(`train.txt`, `val.txt` ...) can be given in its place. Other lines that begin with # are remarks. Lists of others are
read as well: image and mask apart by blanks, or the image alone, with or without its suffix, as long as it can be told
which frame of the data folder it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from desertseg.data.errors import DataError
from desertseg.data.frame import Frame, name_scene
from desertseg.data.layouts import SPLITS, recognise
from desertseg.data.layouts.layout import Layout
from desertseg.data.layouts.tree import list_folder
from desertseg.files import write_text

LIST_SUFFIXES = (".txt", ".lst")
_FIRST = "# desertseg list"
_DATA = "# data:"


@dataclass(frozen=True)
class ListLayout(Layout):
    """A folder of lists in place of a data folder. `parts` is empty; `lists` has the file of each split."""

    lists: Mapping[str, Path] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(sorted(self.lists))

    def frames(self, split: str | None = None, *, masks: bool = True) -> list[Frame]:
        if split is None:
            found = [f for path in self.lists.values() for f in read_list(path, masks=masks)]
            return sorted({f.image: f for f in found}.values(), key=lambda f: f.name)
        wanted = SPLITS.get(split.lower(), split)
        if wanted not in self.lists:
            raise DataError(f"folder of lists {self.root} has no split '{split}'; it has {', '.join(self.splits)}")
        return read_list(self.lists[wanted], masks=masks)


def name_split(split: str | None) -> str:
    """Return what to call a split in names of files: "val", the stem of a list, or "all"."""
    return "all" if split is None else Path(split).stem if str(split).endswith(LIST_SUFFIXES) else str(split)


def find_lists(folder: Path) -> dict[str, Path]:
    """Return the list of each split in a folder that holds lists of ours, {} in any other."""
    names = [e.name for e in list_folder(folder) if e.name.endswith(LIST_SUFFIXES)]
    paths = {SPLITS.get(Path(n).stem.lower(), Path(n).stem): folder / n for n in names}
    return {split: path for split, path in paths.items() if _begins_as_list(path)}


def recognise_lists(folder: Path) -> ListLayout | None:
    """Return the layout of a folder of lists, with the label map of the data that they list; None of any other."""
    lists = find_lists(folder)
    if not lists:
        return None
    roots = {_find_root(path, _read_lines(path)) for path in lists.values()}
    known = [_try_layout(root) for root in roots]
    labels = {layout.labels if layout else None for layout in known}
    return ListLayout("lists", folder, {}, labels.pop() if len(labels) == 1 else None, lists=lists)


def write_list(path: str | Path, frames: Iterable[Frame], data: str | Path, remarks: Sequence[str] = ()) -> None:
    """Write a list of frames.

    Args:
        path: a .txt file; an existing one is replaced.
        frames: files below `data`.
        data: the data folder; where it lies as seen from the list is written into the list.
        remarks: lines for people.
    """
    path, root = Path(path), Path(data).expanduser().resolve()
    away = Path(os.path.relpath(root, path.parent.resolve())).as_posix()
    lines = [_FIRST, f"{_DATA} {away}", *(f"# {remark}" for remark in remarks)]
    for frame in frames:
        files = [frame.image, frame.mask] if frame.mask else [frame.image]
        lines.append("\t".join(Path(os.path.relpath(f.resolve(), root)).as_posix() for f in files))
    write_text(path, "\n".join(lines) + "\n")


def read_list(path: str | Path, data: str | Path | None = None, *, masks: bool = True) -> list[Frame]:
    """Return the frames of a list, sorted by name.

    Args:
        path: the list.
        data: the data folder; None is the one that the list names.
        masks: whether each frame must have a mask.

    Raises:
        DataError: a list that cannot be read or is empty, a line that is no frame, a file that does not exist, a frame
            twice, or a frame without a mask.
    """
    path = Path(path).expanduser()
    lines = _read_lines(path)
    root = Path(data).expanduser() if data is not None else _find_root(path, lines)
    known = _Known(root)
    found: dict[Path, Frame] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            frame = known.find(line, f"list {path}, line {number}")
            if masks and frame.mask is None:
                raise DataError(
                    f"list {path}, line {number}: {frame.image} has no mask; add it to the line, or drop it"
                )
            if frame.image in found:
                raise DataError(f"list {path}, line {number}: {frame.image} stands in it twice; remove one of them")
            found[frame.image] = frame
    if not found:
        raise DataError(f"list {path} names no frame; expected one a line: image, tab, mask, below {root}")
    return sorted(found.values(), key=lambda f: f.name)


class _Known:
    """The frames of a data folder, looked up by what a list may call them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        layout = _try_layout(root)
        try:
            frames = layout.frames(masks=False) if layout else []
        except DataError:  # said by `check`; a list with both paths needs no layout
            frames = []
        self._by_image = {os.path.normpath(f.image): f for f in frames}
        self._by_name = {f.name: f for f in frames}
        self._by_stem: dict[str, list[Frame]] = {}
        for frame in frames:
            self._by_stem.setdefault(frame.image.stem, []).append(frame)

    def find(self, line: str, where: str) -> Frame:
        fields = [f.strip() for f in line.split("\t")] if "\t" in line else [line.strip()]
        if len(fields) == 1 and not (self._root / fields[0]).is_file():
            fields = fields[0].split()
        if len(fields) > 2:
            raise DataError(f"{where}: it has {len(fields)} fields; expected image, tab, mask")
        image = self._root / fields[0]
        if not image.is_file():
            return self._find_alone(fields, where)
        frame = self._by_image.get(os.path.normpath(image)) or self._new(image)
        return frame if len(fields) == 1 else replace(frame, image=image, mask=self._mask(fields[1], where))

    def _find_alone(self, fields: list[str], where: str) -> Frame:
        name = fields[0] if fields[0] in self._by_name else os.path.splitext(fields[0])[0]
        if name in self._by_name:
            found = [self._by_name[name]]
        else:
            found = [f for f in self._by_stem.get(Path(name).name, []) if _ends_alike(f.image, name)]
        if not found:
            raise DataError(f"{where}: {self._root / fields[0]} does not exist; is {self._root} the right data folder?")
        if len(found) > 1:
            raise DataError(f"{where}: '{fields[0]}' may be {found[0].image} or {found[1].image}; write its whole path")
        return found[0] if len(fields) == 1 else replace(found[0], mask=self._mask(fields[1], where))

    def _mask(self, field: str, where: str) -> Path:
        mask = self._root / field
        if not mask.is_file():
            raise DataError(f"{where}: mask {mask} does not exist; is {self._root} the right data folder?")
        return mask

    def _new(self, image: Path) -> Frame:
        name = Path(os.path.relpath(image, self._root)).with_suffix("").as_posix()
        return Frame(image, None, name, name_scene(name))


def _ends_alike(image: Path, name: str) -> bool:
    """Whether the last folders of an image are those of a name, as far as the name has any."""
    parts = Path(name).parts
    return image.with_suffix("").parts[-len(parts) :] == parts


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DataError(f"list {path} does not exist; check the path") from error
    except OSError as error:
        raise DataError(f"list {path} cannot be read: {error.strerror}; check that you may read it") from error
    except UnicodeDecodeError as error:
        raise DataError(f"list {path} is not a text file in UTF-8; give one with a frame a line") from error


def _find_root(path: Path, lines: list[str]) -> Path:
    said = next((line[len(_DATA) :].strip() for line in lines if line.startswith(_DATA)), None)
    if not said:
        raise DataError(f"list {path} has no line '{_DATA} FOLDER'; add it, or give the data folder beside the list")
    root = Path(os.path.normpath(path.parent / Path(said).expanduser()))
    if not root.is_dir():
        raise DataError(f"list {path} is of the data folder {root}, which does not exist; mend its line '{_DATA} ...'")
    return root


def _begins_as_list(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_FIRST)) == _FIRST.encode()
    except OSError:
        return False


def _try_layout(root: Path) -> Layout | None:
    try:
        return recognise(root)
    except DataError:  # several data sets, say
        return None
