"""What a run was made of, and what differs from it: a resumed run must go on with the same recipe and frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from desertseg.data import Frame
from desertseg.errors import UserError
from desertseg.labels import LabelMap

_NAMED = 3  # how many frames a line names


def fingerprint(train: Sequence[Frame], val: Sequence[Frame], labels: LabelMap) -> dict[str, Any]:
    """Return what identifies a data set, as plain JSON values: label map, and name and file sizes of every frame.

    The folder is not part of it: a data set that was moved is the same. Nor are dates, which copying changes.

    Raises:
        UserError: a file that is no longer there.
    """
    frames = {split: {f.name: _sizes(f) for f in found} for split, found in (("train", train), ("val", val))}
    return {"labels": labels.to_dict(), "frames": frames}


def _sizes(frame: Frame) -> list[int]:
    try:
        return [path.stat().st_size for path in (frame.image, frame.mask) if path is not None]
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}; check the data folder") from error


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what differs between a run and what it is asked to go on with, a line each; nothing if they agree.

    Args:
        old, new: two recipes as `to_dict` gives them, or two fingerprints.
    """
    lines: list[str] = []
    _compare(old, new, "", lines)
    return lines


def _compare(old: Any, new: Any, path: str, lines: list[str]) -> None:
    if path.startswith("frames."):
        lines += _compare_frames(old, new, path.removeprefix("frames."))
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(k for k in new if k not in old)]:
            here = f"{path}.{key}" if path else key
            if key not in new:
                lines.append(f"{here} is {_shown(old[key])} in the run, and now left out")
            elif key not in old:
                lines.append(f"{here} is {_shown(new[key])}, which the run does not have")
            else:
                _compare(old[key], new[key], here, lines)
    elif old != new:
        lines.append(f"{path} is {_shown(old)} in the run, and now {_shown(new)}")


def _compare_frames(old: Mapping[str, Any], new: Mapping[str, Any], split: str) -> list[str]:
    found = {
        "missing": [n for n in old if n not in new],
        "new": [n for n in new if n not in old],
        "of another file size": [n for n in old if n in new and old[n] != new[n]],
    }
    lines = []
    for what, names in found.items():
        if names:
            shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
            count = "1 frame is" if len(names) == 1 else f"{len(names)} frames are"
            lines.append(f"{split}: {count} {what} ({shown}); the run has {len(old)}, the folder {len(new)}")
    return lines


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
