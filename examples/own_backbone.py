"""Put a backbone of your own under DeepLabV3+ and train it; start others from weights that you have on disk.

python examples/own_backbone.py --out own_backbone [--data DIR] [--size 96x160] [--epochs 8] [--weights FILE]
"""

import argparse
from pathlib import Path

import keras

import desertseg
from desertseg.models import DeepLabV3Plus, Segmenter, build_segmenter, describe_weights

LAYERS = {"low": "block_3_expand_relu", "deep": "block_13_expand_relu"}  # strides 4 and 16


def build_own(labels: desertseg.LabelMap, size: tuple[int, int]) -> Segmenter:
    """Return a Segmenter around a Keras model; any that gives named features will do, `weights="imagenet"` as well."""
    encoder = keras.applications.MobileNetV2((None, None, 3), alpha=0.35, include_top=False, weights=None)
    features = {name: encoder.get_layer(layer).output for name, layer in LAYERS.items()}
    network = DeepLabV3Plus(keras.Model(encoder.input, features, name="backbone"), labels.num_classes)
    return Segmenter(network, labels, size)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("own_backbone"))
    parser.add_argument("--data", help="your own frames and masks; without it a desert is drawn")
    parser.add_argument("--size", default="96x160")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--weights", help="a checkpoint: the network is then the one that it is of")
    options = parser.parse_args()
    height, width = (int(v) for v in options.size.split("x"))
    data = options.data or options.out / "desert"
    if not options.data:
        desertseg.write_dataset(data, train=8, val=4, size=(2 * height, 2 * width))

    if options.weights:
        found = describe_weights(options.weights)
        segmenter = build_segmenter(
            found.model, found.backbone, size=(height, width), weights=options.weights, **found.options
        )
    else:
        segmenter = build_own(desertseg.load_labels("falcon"), (height, width))
    train = desertseg.load_dataset(data, "train", size=(height, width), batch_size=4, epochs=options.epochs)
    steps = desertseg.count_batches(data, 4, split="train")
    segmenter.compile(keras.optimizers.AdamW(1e-3), loss=desertseg.FocalDice())
    segmenter.fit(train, epochs=options.epochs, steps_per_epoch=steps, shuffle=False, verbose=2)
    segmenter.save(options.out / "own.keras")

    evaluation = desertseg.evaluate(options.out / "own.keras", data, split="val")
    predictions = desertseg.predict(options.out / "own.keras", f"{data}/val/Color_Images", options.out / "predictions")
    print(f"mIoU {evaluation.scores.miou:.4f} ({evaluation.definition})")
    print(f"{len(predictions.masks)} masks in {predictions.folder / 'masks'}")


if __name__ == "__main__":
    main()
