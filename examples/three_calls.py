"""Draw a desert, then fit, evaluate and predict: the command line's work as three function calls.

python examples/three_calls.py --out three_calls [--data DIR] [--size 96x160] [--epochs 8]
"""

import argparse
from pathlib import Path

import desertseg


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("three_calls"))
    parser.add_argument("--data", help="your own frames and masks; without it a desert is drawn")
    parser.add_argument("--size", default="96x160")
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    size = tuple(int(v) for v in options.size.split("x"))
    data = options.data or options.out / "desert"
    if not options.data:
        desertseg.write_dataset(data, train=16, val=4, size=(2 * size[0], 2 * size[1]))

    run = desertseg.fit(data, options.out / "run", size=size, epochs=options.epochs, batch_size=4)
    evaluation = desertseg.evaluate(run.best, data, split="val")
    predictions = desertseg.predict(run.best, f"{data}/val/Color_Images", options.out / "predictions")

    print(f"mIoU {evaluation.scores.miou:.4f} ({evaluation.definition})")
    print(f"{len(predictions.masks)} masks in {predictions.folder / 'masks'}")


if __name__ == "__main__":
    main()
