"""What a prediction can be written as: one writer a kind, one folder a kind, one file a frame under the frame's name.

masks          16-bit PNG of raw ids; what is unknown gets the label map's void id
indices        8-bit PNG of class indices, 255 = unknown
masks_color    PNG in the classes' colours, unknown black
overlays       the frame tinted with its classes, with a legend
comparisons    frame, truth, prediction and errors in one picture; needs the truth
probabilities  NumPy file with `probabilities`, float16 (H, W, C), and `classes`, their names
confidence     8-bit PNG of the largest probability, 255 = 1
entropy        8-bit PNG of the probabilities' entropy over that of C equal ones, 255 = 1
costs          8-bit PNG of the traversability cost, 0..100, 255 = unknown
nav2           the costs as PGM and YAML for Nav2's map server
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from desertseg.data import read_mask, write_png
from desertseg.errors import UserError, suggest
from desertseg.files import replacing, write_text
from desertseg.labels import LabelMap
from desertseg.report.comparison import draw_comparison
from desertseg.report.overlay import draw_overlay

DEFAULT_OUTPUTS = ("masks", "masks_color", "overlays")
MAP_RESOLUTION = 0.05  # metres a cell, the value of Nav2's own examples: a frame does not know its own


class OutputError(UserError):
    """A prediction cannot be written: a full disk, a folder without leave to write."""


class _TruthError(UserError):
    """A frame's truth cannot be used."""


@dataclass(frozen=True)
class Labelled:
    """One frame with what the model says about it.

    Attributes:
        name: the files' stem.
        image: uint8 (H, W, 3) RGB.
        labels: uint8 (H, W) class indices, 255 = unknown.
        answers: what the kinds need beside labels, by the names of `Inference.answer`: (H, W) or (H, W, C).
        truth: its mask file, where there is one.
    """

    name: str
    image: np.ndarray
    labels: np.ndarray
    answers: Mapping[str, np.ndarray] = field(default_factory=dict)
    truth: Path | None = None


_Write = Callable[[Path, Labelled, LabelMap], None]


def _write_masks(path: Path, frame: Labelled, labels: LabelMap) -> None:
    write_png(path, labels.decode(frame.labels))


def _write_indices(path: Path, frame: Labelled, labels: LabelMap) -> None:
    write_png(path, frame.labels)


def _write_colors(path: Path, frame: Labelled, labels: LabelMap) -> None:
    write_png(path, labels.colorize(frame.labels))


def _write_overlay(path: Path, frame: Labelled, labels: LabelMap) -> None:
    write_png(path, draw_overlay(frame.image, frame.labels, labels))


def _write_comparison(path: Path, frame: Labelled, labels: LabelMap) -> None:
    if frame.truth is None:
        return
    try:
        truth = read_mask(frame.truth, labels)
    except UserError as error:
        raise _TruthError(f"{error}; no comparison is drawn") from error
    if truth.shape != frame.labels.shape:
        size, expected = (f"{a.shape[1]}x{a.shape[0]}" for a in (truth, frame.labels))
        raise _TruthError(f"mask {frame.truth} is {size}, its frame {expected}; no comparison is drawn")
    write_png(path, draw_comparison(frame.image, truth, frame.labels, labels))


def _write_probabilities(path: Path, frame: Labelled, labels: LabelMap) -> None:
    with replacing(path) as temporary:
        np.savez(temporary, probabilities=frame.answers["probabilities"], classes=np.array(labels.names))


def _write_share(kind: str) -> _Write:
    """Return a writer of numbers in [0, 1] as 8 bits."""

    def write(path: Path, frame: Labelled, labels: LabelMap) -> None:
        write_png(path, np.rint(255 * np.clip(frame.answers[kind], 0, 1)).astype(np.uint8))

    return write


def _write_costs(path: Path, frame: Labelled, labels: LabelMap) -> None:
    write_png(path, labels.cost_map(frame.labels))


def _write_map(path: Path, frame: Labelled, labels: LabelMap) -> None:
    """Write an occupancy grid as nav2_map_server reads it.

    The mode is "raw": a sample of 0..100 is the occupancy itself and everything above is unknown, so the costs come
    out as they went in. "trinary" would keep three values, and "scale" reads unknown from an alpha channel, which a PGM
    does not have. The thresholds mean nothing in this mode; the server wants them all the same.
    """
    costs = labels.cost_map(frame.labels)
    with replacing(path.with_suffix(".pgm")) as temporary:
        temporary.write_bytes(f"P5\n{costs.shape[1]} {costs.shape[0]}\n255\n".encode() + costs.tobytes())
    lines = [
        "# Traversability cost 0..100, 255 unknown, on the pixel grid of the frame. It is a map of the ground only",
        "# where the frame looks straight down or was warped to the ground plane; set resolution and origin to yours.",
        f'image: "{path.stem}.pgm"',
        "mode: raw",
        f"resolution: {MAP_RESOLUTION}",
        "origin: [0.0, 0.0, 0.0]",
        "negate: 0",
        "occupied_thresh: 0.65",
        "free_thresh: 0.25",
    ]
    write_text(path, "\n".join(lines) + "\n")


@dataclass(frozen=True)
class _Kind:
    """How one kind of output is written: the suffix of its files, its writer, and what it needs of the model."""

    suffix: str
    write: _Write
    needs: tuple[str, ...] = ()


_KINDS = {
    "masks": _Kind(".png", _write_masks),
    "indices": _Kind(".png", _write_indices),
    "masks_color": _Kind(".png", _write_colors),
    "overlays": _Kind(".png", _write_overlay),
    "comparisons": _Kind(".png", _write_comparison),
    "probabilities": _Kind(".npz", _write_probabilities, ("probabilities",)),
    "confidence": _Kind(".png", _write_share("confidence"), ("confidence",)),
    "entropy": _Kind(".png", _write_share("entropy"), ("entropy",)),
    "costs": _Kind(".png", _write_costs),
    "nav2": _Kind(".yaml", _write_map),
}
OUTPUTS = tuple(_KINDS)


def check_outputs(outputs: Iterable[str], labels: LabelMap) -> tuple[str, ...]:
    """Return the kinds in their own order, each once.

    Raises:
        UserError: none, a kind that is unknown, or costs of a label map that has none.
    """
    chosen = set([outputs] if isinstance(outputs, str) else outputs)
    for name in chosen - set(OUTPUTS):
        raise UserError(f"there is no output '{name}'{suggest(name, OUTPUTS)}; there are {', '.join(OUTPUTS)}")
    if not chosen:
        raise UserError(f"no output is asked for; choose from {', '.join(OUTPUTS)}")
    if chosen & {"costs", "nav2"}:
        labels.cost_map(np.zeros((1, 1), np.uint8))  # says what is missing before anything is computed
    return tuple(kind for kind in OUTPUTS if kind in chosen)


def needed_answers(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return what `Inference.answer` must give beside labels."""
    return tuple(dict.fromkeys(need for kind in kinds for need in _KINDS[kind].needs))


class OutputFolder:
    """Writes frames as the chosen kinds; a frame is written as all of them or not at all.

    Args:
        folder: gets a subfolder a kind.
        kinds: of `OUTPUTS`.
        labels: the model's label map.
    """

    def __init__(self, folder: Path, kinds: tuple[str, ...], labels: LabelMap) -> None:
        self.folder, self.kinds, self.labels = folder, kinds, labels

    def path(self, kind: str, name: str) -> Path:
        """Return the file that a frame of this name gets."""
        return self.folder / kind / f"{name}{_KINDS[kind].suffix}"

    def write(self, frame: Labelled) -> str | None:
        """Write every kind of one frame; returns what was wrong with its truth, if anything was.

        Raises:
            OutputError: a file cannot be written; those of this frame that were are removed again.
        """
        note, done = None, []
        try:
            for kind in self.kinds:
                done.append(self.path(kind, frame.name))
                try:
                    _KINDS[kind].write(done[-1], frame, self.labels)
                except _TruthError as error:
                    note = str(error)
        except (OSError, UserError) as error:
            _remove(done)
            cause = error if isinstance(error, OSError) else error.__cause__
            reason = getattr(cause, "strerror", None) or error
            raise OutputError(f"{done[-1]} cannot be written: {reason}; free space, or choose another --out") from error
        return note


def _remove(paths: list[Path]) -> None:
    for path in paths:
        for twin in (path, path.with_suffix(".pgm")):
            twin.unlink(missing_ok=True)
