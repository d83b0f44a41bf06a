"""What the commands that look at data share: which frames, and which label map."""

from __future__ import annotations

from pathlib import Path

from desertseg.data.folders import find_layout
from desertseg.errors import UserError
from desertseg.labels import LabelMap, load_labels

DEFAULT_LABELS = "falcon"


def choose_labels(labels: str | None, *data: str) -> tuple[LabelMap, str]:
    """Return the label map of some data folders, and a line that says which one was taken, and why.

    Args:
        labels: what the user gave; None asks the layout of the folders.
        data: the folders.

    Raises:
        UserError: no such map or folder, or folders of different data sets.
    """
    if labels:
        found = load_labels(labels)
        return found, f"label map: {found.name}"
    layouts = {folder: find_layout(folder) for folder in data}
    known = {folder: layout.labels or DEFAULT_LABELS for folder, layout in layouts.items()}
    names = list(dict.fromkeys(known.values()))
    if len(names) > 1:
        told = " and ".join(f"{Path(folder).name} those of {name}" for folder, name in known.items())
        raise UserError(f"the masks are of two kinds, in {told}; give the one that reads both as --labels MAP")
    layout = layouts[data[0]]
    why = (
        f"as the folder is laid out like {layout.name}"
        if layout.labels
        else "the default; give --labels MAP for masks of another kind"
    )
    return load_labels(names[0]), f"label map: {names[0]}, {why}"
