"""How many procedural frames does one core draw and write a second?

    python benchmarks/synthetic.py [--frames 24] [--size 540x960]

The target is 8 frames/s a core at 540x960. The peer is what no generator of PNG data sets can avoid: OpenCV encoding
and decoding the same frame and its mask. Everything runs in one thread and is timed in CPU seconds, so that what else
the machine does matters little; work alternates frame by frame with the peer's, and medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from desertseg.data.synthetic import DOMAINS, draw_frame

TARGET = 8.0


def measure(action: Callable[[], object]) -> float:
    """Return the CPU seconds that an action takes."""
    start = time.process_time()
    action()
    return time.process_time() - start


def encode(image: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    """Return both files of a frame as `write_dataset` encodes them."""
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    return [cv2.imencode(".png", pixels, fast)[1] for pixels in (image[..., ::-1], mask)]


def measure_domain(domain: str, frames: int, size: tuple[int, int]) -> dict[str, float]:
    """Return median seconds: "draw", "write" (draw + encode) and "peer" a frame, and "scene" to set one up."""
    scenes = len(DOMAINS[domain].scenes)
    setup = [measure(lambda i=i: draw_frame(0, i, domain, size)) for i in range(scenes)]
    seconds: dict[str, list[float]] = {"draw": [], "write": [], "peer": []}
    for index in range(scenes, scenes + frames):
        draw = measure(lambda i=index: draw_frame(0, i, domain, size))
        image, mask, _ = draw_frame(0, index, domain, size)
        pack = measure(lambda im=image, ma=mask: encode(im, ma))
        files = encode(image, mask)
        unpack = measure(lambda fs=files: [cv2.imdecode(f, cv2.IMREAD_UNCHANGED) for f in fs])
        seconds["draw"].append(draw)
        seconds["write"].append(draw + pack)
        seconds["peer"].append(pack + unpack)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return medians | {"scene": statistics.median(setup) - medians["draw"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", default="540x960")
    options = parser.parse_args()
    height, width = (int(v) for v in options.size.split("x"))
    cv2.setNumThreads(1)
    print(f"{options.frames} frames of {height}x{width} a domain, one thread, CPU time, medians")
    print(f"{'domain':8s} {'what':16s} {'frames/s':>9s} {'/ target 8':>11s} {'/ PNG encode+decode':>20s}")
    for domain in DOMAINS:
        result = measure_domain(domain, options.frames, (height, width))
        for name, what in (("draw", "draw"), ("write", "draw + PNG write"), ("peer", "PNG enc+dec")):
            rate = 1 / result[name]
            print(f"{domain:8s} {what:16s} {rate:9.1f} {rate / TARGET:11.2f} {rate * result['peer']:20.2f}")
        print(f"{domain:8s} once a scene: {result['scene']:.2f} s")


if __name__ == "__main__":
    main()
