"""How long does `desertseg check` take, and does its memory stay flat?

    python benchmarks/check.py [FOLDER] [--frames 3000] [--size 540x960] [--drawn 24] [--threads N]

Without FOLDER, `--drawn` procedural PNG frames are drawn once and copied under new names, each with some pixels
changed, so that no two files are equal and every one is decoded. Beside the whole check stand its first quarter, for
the memory, and bare decoding of the same files by OpenCV in as many threads. Target: 3,000 frames of 960x540 in 60 s on
two cores.

Measured on 3,000 such frames while six other jobs ran on both cores: 16.3 ms of a core a frame, 49 s of processor time
in all, against 12.1 ms of bare decoding; 86 s on the clock where bare decoding took 78 s; 257 MiB after a quarter of
the frames and after all of them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from desertseg.data import Frame, find_frames
from desertseg.data.check import check_dataset, gather
from desertseg.data.check.gather import Gathered
from desertseg.data.synthetic import write_dataset
from desertseg.memory import process_memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="a data folder; drawn if missing")
    parser.add_argument("--frames", type=int, default=3000, help="of the drawn folder")
    parser.add_argument("--size", default="540x960", help="HxW")
    parser.add_argument("--drawn", type=int, default=24, help="frames that are drawn; the others are copies of them")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    height, width = (int(v) for v in options.size.split("x"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        if options.folder is None:
            draw(folder, options.frames, options.drawn, (height, width))
        measure(folder, options.threads)


def draw(folder: Path, frames: int, drawn: int, size: tuple[int, int]) -> None:
    """Write so many frames, of which `drawn` are drawn."""
    source = folder / "source"
    write_dataset(source, train=drawn, val=0, size=size)
    pairs = find_frames(source)
    for split, count in (("train", frames * 9 // 10), ("val", frames - frames * 9 // 10)):
        for kind in ("Color_Images", "Segmentation"):
            (folder / "data" / split / kind).mkdir(parents=True)
        for i in range(count):
            _copy(pairs[i % drawn], folder / "data" / split, f"{split}{i:06}", i)
    for path in source.rglob("*.png"):
        path.unlink()


def _copy(frame: Frame, folder: Path, name: str, number: int) -> None:
    assert frame.mask
    image = cv2.imread(str(frame.image))
    image[0, :3] = [(number >> 8, number & 255, 1)] * 3
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    cv2.imwrite(str(folder / "Color_Images" / f"{name}.png"), image, fast)
    (folder / "Segmentation" / f"{name}.png").write_bytes(frame.mask.read_bytes())


def measure(folder: Path, threads: int) -> None:
    """Print the table."""
    found = gather(folder / "data" if (folder / "data").is_dir() else folder)
    quarter = Gathered(found.root, found.base, found.layout, found.labels)
    quarter.splits.update({split: frames[: len(frames) // 4] for split, frames in found.splits.items()})
    rows = [("bare OpenCV", found, None), ("check, a quarter", quarter, "check"), ("check", found, "check")]
    print(f"{found.count} frames, {threads} threads, {os.cpu_count()} cores")
    print(f"{'':18} {'seconds':>8} {'frames/s':>9} {'ms of a core':>13} {'memory after':>13}")
    for name, chosen, what in rows:
        wall, processor = time.perf_counter(), time.process_time()
        if what:
            check_dataset(chosen, threads=threads)
        else:
            _decode_bare(chosen, threads)
        seconds, spent = time.perf_counter() - wall, time.process_time() - processor
        memory = (process_memory() or 0) / 2**20
        print(
            f"{name:18} {seconds:8.1f} {chosen.count / seconds:9.1f} {1000 * spent / chosen.count:13.1f} "
            f"{memory:9.0f} MiB"
        )


def _decode_bare(found: Gathered, threads: int) -> None:
    def decode(frame: Frame) -> None:
        cv2.imread(str(frame.image))
        cv2.imread(str(frame.mask), cv2.IMREAD_UNCHANGED)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(decode, [frame for _, frame in found.frames()]):
            pass


if __name__ == "__main__":
    main()
