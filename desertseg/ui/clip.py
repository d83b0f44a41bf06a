"""A short video in, its overlay video out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from desertseg.data.video import VideoReader
from desertseg.engine.checkpoint import fitting
from desertseg.engine.video import VideoPrediction, predict_video
from desertseg.errors import UserError
from desertseg.ui.given import MOST_PIXELS, Options
from desertseg.ui.shelf import Opened

MOST_FRAMES = 900  # half a minute; `desertseg predict` takes any length
SUFFIX = ".webm"


@dataclass(frozen=True)
class Clip:
    """An overlay video, and what is said of it."""

    path: Path
    summary: str


def label_clip(opened: Opened, video: Path, name: str, options: Options, folder: Path) -> Clip:
    """Return the overlay video of the first 900 frames of a video, and how it went.

    Args:
        opened: the model; the caller holds the device.
        video: its file.
        name: what the page calls it.
        options: as for a frame.
        folder: to write into.

    Raises:
        UserError: the video, the options or the model cannot be used.
    """
    size, answering = opened.size(options), opened.answering(options)
    out = folder / f"{Path(name).stem or 'video'}{SUFFIX}"
    try:
        claimed = _count_frames(video)
        done = predict_video(
            answering,
            video,
            out,
            size=size,
            resize=fitting(opened.model),
            limit=MOST_FRAMES if claimed is None or claimed > MOST_FRAMES else None,
            progress=False,
        )
    except UserError as error:
        raise UserError(str(error).replace(str(video), name).replace(str(out), out.name)) from error
    return Clip(out, _summarise(done, claimed))


def _count_frames(video: Path) -> int | None:
    with VideoReader(video) as reader:
        if reader.size[0] * reader.size[1] > MOST_PIXELS:
            raise UserError(f"video {video} has frames of {reader.size[1]}x{reader.size[0]} pixels; reduce it first")
        return reader.count


def _summarise(done: VideoPrediction, claimed: int | None) -> str:
    more = claimed is not None and claimed > done.frames >= MOST_FRAMES
    cut = f" Only the first {done.frames:,} of {claimed:,} frames; `desertseg predict` takes all." if more else ""
    damage = f" {done.damage}." if done.damage else ""
    return f"{done.summary}.{cut}{damage}"
