"""What does sliding a window cost beside the network, and how much memory does a tall frame take?

    python benchmarks/window.py [--backend jax|tensorflow] [--size 540x960] [--window 270x480] [--batch-size 4]
                                [--repeats 15]

The first two rows answer the same windows: bare, without cutting, blending or choosing, and by `label_large`; the ratio
is the second's time to the first's. The other rows are `label_large` on a frame of twice and four times the height.
Memory is NumPy's, at its peak, beyond the frame itself and the labels, which grow with it.

Measured on two cores that other work shared, desert-small on JAX: 1.2 x the bare windows; 0.02 GB at every height.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
from timing import read_options, time_in_turns

from desertseg.backend import use_backend

MODEL = "desert-small"


def main() -> None:
    options = read_options(__doc__, size="540x960", window="270x480")
    use_backend(options.backend)
    measure(options.size, options.window, options.batch_size, options.repeats)


def measure(size: tuple[int, int], window: tuple[int, int], batch_size: int, repeats: int) -> None:
    """Print the table."""
    from desertseg.data import fit_box
    from desertseg.engine import load_segmenter
    from desertseg.engine.inference import Inference
    from desertseg.engine.window import label_large, place_windows

    inference, random = Inference(load_segmenter(MODEL)), np.random.default_rng(0)
    places = place_windows(size, window)
    count = len(places.tops) * len(places.lefts)
    images = random.integers(0, 256, (batch_size, *window, 3), np.uint8)
    frames = {n: random.integers(0, 256, (size[0] * n, size[1], 3), np.uint8) for n in (1, 2, 4)}

    def bare() -> None:
        for _ in range(-(-count // batch_size)):
            answer = inference.answer(images, fit_box(window, window), window, ("sample",))
        np.asarray(answer["sample"][0, 0, 0])

    def slide(frame: np.ndarray) -> None:
        label_large(inference, frame, window, batch_size=batch_size)

    times = time_in_turns({"bare windows": bare, "label_large": lambda: slide(frames[1])}, repeats)
    print(f"{size[0]}x{size[1]}, {count} windows of {window[0]}x{window[1]}")
    for name, seconds in times.items():
        print(f"{name:14} {seconds:8.2f} s {seconds / times['bare windows']:6.2f} x")
    for frame in frames.values():
        tracemalloc.start()
        slide(frame)
        peak = tracemalloc.get_traced_memory()[1] - frame.size // 3
        tracemalloc.stop()
        print(f"{frame.shape[0]}x{frame.shape[1]}: {peak / 2**30:.2f} GB beyond the frame and its labels")


if __name__ == "__main__":
    main()
