"""A procedural desert on disk, in Falcon's exact layout and format."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2

from desertseg.data.synthetic.domains import DOMAINS
from desertseg.data.synthetic.frame import REGION, VERSION, SyntheticError, check_request, draw_frame

SPLIT_STARTS = {"train": 0, "val": REGION, "test": 2 * REGION}
"""First frame index of each split: other regions of the same scenes, so that no place is seen by two splits."""
DESCRIPTION = "synthetic.json"


@dataclass(frozen=True)
class Summary:
    """What `write_dataset` wrote: the folder, the domain, the number of frames of each split and their size."""

    out: Path
    domain: str
    frames: dict[str, int]
    size: tuple[int, int]
    seed: int


@dataclass(frozen=True)
class _Job:
    folder: Path
    split: str
    index: int
    seed: int
    domain: str
    size: tuple[int, int]


def write_dataset(
    out: str | Path,
    *,
    domain: str = "desert",
    train: int = 200,
    val: int = 40,
    test: int = 0,
    seed: int = 0,
    size: tuple[int, int] = (540, 960),
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> Summary:
    """Write a procedural desert and return a summary of it.

    The folder holds train/Color_Images/*.png (8-bit RGB) and train/Segmentation/*.png (16-bit raw Falcon ids, same
    stem), likewise val and test where frames were asked for, and `synthetic.json`, which says how it was made. It is
    built under a temporary name beside `out` and renamed at the end: it is there whole or not at all.

    Args:
        out: folder to make.
        domain: a key of `DOMAINS`.
        train, val, test: number of frames of each split. Frame i of a split does not depend on the numbers, and the
            splits lie in different regions of the same scenes.
        seed: which world, >= 0.
        size: (height, width) in pixels.
        workers: processes that draw; 1 draws in this one. The files are the same for any number. With more than one, a
            script needs the usual `if __name__ == "__main__":`.
        progress: called as progress(done, total) after each frame.
        overwrite: replace a folder that an earlier call wrote.

    Returns:
        `Summary`.

    Raises:
        SyntheticError: an argument is out of range, or `out` holds files that may not be replaced.
    """
    out, counts = Path(out), {"train": train, "val": val, "test": test}
    check_request(seed, 0, domain, size)
    _check_numbers(counts, workers)
    _check_target(out, overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    try:
        folder.chmod(0o755)
        _write_frames(folder, counts, seed, domain, size, workers, progress)
        _describe(folder, counts, seed, domain, size)
        _move_into_place(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Summary(out, domain, counts, size, seed)


def _check_numbers(counts: dict[str, int], workers: int) -> None:
    if min(counts.values()) < 0 or sum(counts.values()) == 0 or max(counts.values()) > REGION:
        found = ", ".join(f"{split} {count}" for split, count in counts.items())
        raise SyntheticError(f"{found} frames: give 0 to 1,000,000 each, not 0 for all")
    if workers < 1:
        raise SyntheticError(f"workers {workers} is out of range; use 1 or more")


def _check_target(out: Path, overwrite: bool) -> None:
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise SyntheticError(f"{out} is a file, not a folder; give another folder")
    if not any(out.iterdir()):
        return
    if not overwrite:
        raise SyntheticError(f"{out} exists and is not empty; choose another --out, or --overwrite to replace it")
    known = {DESCRIPTION, *SPLIT_STARTS}
    foreign = sorted(p.name for p in out.iterdir() if p.name not in known)
    if foreign or not (out / DESCRIPTION).is_file():
        what = f"holds '{foreign[0]}'" if foreign else f"has no {DESCRIPTION}"
        raise SyntheticError(f"{out} {what}, so it is not a generated desert and is left alone; choose another --out")


def _write_frames(
    folder: Path,
    counts: dict[str, int],
    seed: int,
    domain: str,
    size: tuple[int, int],
    workers: int,
    progress: Callable | None,
) -> None:
    jobs = []
    for split, count in counts.items():
        if count:
            for kind in ("Color_Images", "Segmentation"):
                (folder / split / kind).mkdir(parents=True)
        jobs += [_Job(folder, split, SPLIT_STARTS[split] + i, seed, domain, size) for i in range(count)]
    for done, _ in enumerate(_run(jobs, min(workers, len(jobs)), len(DOMAINS[domain].scenes)), 1):
        if progress:
            progress(done, len(jobs))


def _run(jobs: list[_Job], workers: int, scenes: int) -> Iterator[str]:
    if workers == 1:
        yield from map(_write_frame, jobs)
        return
    # Frames of one scene go to one worker together, so that few workers build each scene.
    jobs = sorted(jobs, key=lambda job: (job.index % scenes, job.index))
    chunk = max(1, min(32, len(jobs) // (workers * 2)))
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of JAX's and OpenCV's threads
    with ProcessPoolExecutor(workers, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.map(_write_frame, jobs, chunksize=chunk)


def _write_frame(job: _Job) -> str:
    image, mask, name = draw_frame(job.seed, job.index, job.domain, job.size)
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    for kind, pixels in (("Color_Images", image[..., ::-1]), ("Segmentation", mask)):
        path = job.folder / job.split / kind / f"{name}.png"
        done, data = cv2.imencode(".png", pixels, fast)
        if not done:
            raise OSError(f"{path}: OpenCV could not encode the frame")
        path.write_bytes(data.tobytes())
    return name


def _describe(folder: Path, counts: dict[str, int], seed: int, domain: str, size: tuple[int, int]) -> None:
    about = {
        "about": "Procedural desert frames drawn by desertseg.data.synthetic; masks hold Falcon's raw ids (16 bit).",
        "version": VERSION,
        "domain": domain,
        "seed": seed,
        "size": list(size),
        "frames": counts,
        "scenes": [style.prefix for style in DOMAINS[domain].scenes],
        "absent_classes": list(DOMAINS[domain].absent),
    }
    (folder / DESCRIPTION).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _move_into_place(folder: Path, out: Path) -> None:
    """Rename the finished folder to `out`, keeping what stood there until the new one is in place."""
    if not out.exists():
        os.replace(folder, out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old", dir=out.parent))
    os.replace(out, old)
    try:
        os.replace(folder, out)
    except OSError:
        os.replace(old, out)
        raise
    shutil.rmtree(old)
