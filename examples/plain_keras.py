"""The loader, the model, the loss and the metric in a plain Keras program, on either backend.

KERAS_BACKEND=tensorflow python examples/plain_keras.py --out plain_keras [--data DIR] [--size 96x160] [--epochs 8]
"""

import argparse
from pathlib import Path

import keras

import desertseg
from desertseg.models import Segmenter  # desertseg first: it makes JAX the default before Keras is imported


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("plain_keras"))
    parser.add_argument("--data", help="your own frames and masks; without it a desert is drawn")
    parser.add_argument("--size", default="96x160")
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    size = tuple(int(v) for v in options.size.split("x"))
    data = options.data or options.out / "desert"
    if not options.data:
        desertseg.write_dataset(data, train=16, val=4, size=(2 * size[0], 2 * size[1]))
    falcon = desertseg.load_labels("falcon")

    # One finite stream of all epochs: every epoch has its own order, and Keras is told where one ends.
    train = desertseg.load_dataset(data, "train", labels=falcon, size=size, batch_size=4, epochs=options.epochs)
    val = desertseg.load_dataset(data, "val", labels=falcon, size=size, batch_size=4)
    steps, val_steps = (desertseg.count_batches(data, 4, split=split) for split in ("train", "val"))

    model: Segmenter = desertseg.build_segmenter("deeplabv3plus", "resnet18", falcon, size)
    metric = desertseg.MeanIoU(falcon.num_classes)
    model.compile(keras.optimizers.AdamW(1e-3), loss=desertseg.FocalDice(), metrics=[metric])
    stream = {"epochs": options.epochs, "steps_per_epoch": steps, "shuffle": False}
    model.fit(train, **stream, validation_data=val, validation_steps=val_steps, verbose=2)

    model.evaluate(val, steps=val_steps, verbose=0)
    for name, iou in zip(falcon.names, metric.scores().per_class_iou, strict=True):
        print(f"{name:>15} {iou:.4f}")
    print(f"mIoU {metric.scores().miou:.4f} ({metric.scores().definition})")
    model.save(options.out / "plain.keras")  # one file: weights, normalisation, label map


if __name__ == "__main__":
    main()
