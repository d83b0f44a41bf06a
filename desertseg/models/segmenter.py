"""`Segmenter`: preprocessing, network and label map in one Keras model, saved in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from keras import ops

from desertseg.labels import LabelMap, load_labels
from desertseg.models.errors import ModelError
from desertseg.models.familiarity import FILE, Familiarity
from desertseg.models.freezing import freeze_backbone

# The mean and standard deviation of ImageNet's RGB in [0, 1]; the weights of nearly every backbone expect them.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


@keras.saving.register_keras_serializable("desertseg")
class Segmenter(keras.Model):
    """RGB in [0, 255] of any size in, float32 logits at that size out.

    Args:
        network: a model from normalised float images (B, H, W, 3) to logits (B, H, W, C), or to a dict with "logits".
        labels: what the C channels mean: a `LabelMap`, a shipped name or a TOML file.
        size: (height, width) that it was trained at, or None.
        recipe: plain dict of how it was trained, or None; it travels in the file.
        open_blocks: how many of the backbone's last blocks are trained, see `freeze_backbone`; None leaves every layer
            as it is.

    Attributes:
        familiarity: what it remembers of the frames that it was trained on; None where nothing is known. It is saved
            with the model.

    Raises:
        ModelError: the network's channels are not the label map's classes, or its backbone has no such blocks.
    """

    def __init__(
        self,
        network: keras.Model,
        labels: LabelMap | str,
        size: tuple[int, int] | None = None,
        recipe: Mapping[str, Any] | None = None,
        open_blocks: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # bfloat16 has 8 bits: it would round images before normalisation
        self.network = network
        self.labels = load_labels(labels)
        self.size = None if size is None else (int(size[0]), int(size[1]))
        # Through JSON at once: what cannot be saved is refused here, not at the end of a run.
        self.recipe = None if recipe is None else json.loads(json.dumps(dict(recipe)))
        channels = _logits_of(network.output).shape[-1]
        if channels != self.labels.num_classes:
            raise ModelError(
                f"the network gives {channels} channels, label map '{self.labels.name}' has {self.labels.num_classes} "
                "classes; build the network with num_classes=labels.num_classes"
            )
        self.open_blocks = open_blocks
        if open_blocks is not None:
            freeze_backbone(_backbone_of(network), open_blocks)
        self.familiarity: Familiarity | None = None
        self.built = True

    @property
    def num_classes(self) -> int:
        return self.labels.num_classes

    def __call__(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        _check_images(images)
        return super().__call__(images, *args, **kwargs)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return float32 logits (B, H, W, C).

        Args:
            images: uint8 or float (B, H, W, 3), RGB in [0, 255].
            training: whether normalisation uses (and moves) the batch's statistics.
        """
        return self.outputs(images, training=training)["logits"]

    def outputs(self, images: Any, training: bool | None = None) -> dict[str, Any]:
        """Return all that the network gives: "logits", and "auxiliary" logits where it has such a head."""
        outputs = self.network(normalize_images(images), training=training)
        return outputs if isinstance(outputs, dict) else {"logits": outputs}

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:3], self.num_classes)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "network": keras.saving.serialize_keras_object(self.network),
            "labels": self.labels.to_dict(),
            "size": None if self.size is None else list(self.size),
            "recipe": None if self.recipe is None else json.loads(json.dumps(self.recipe)),
            "open_blocks": self.open_blocks,
        }

    def save_assets(self, dir_path: str) -> None:
        """Write what belongs into a `.keras` file beside weights and config; Keras calls it."""
        if self.familiarity is not None:
            self.familiarity.save(Path(dir_path) / FILE)

    def load_assets(self, dir_path: str | None) -> None:
        """Read what `save_assets` wrote; Keras calls it."""
        path = None if dir_path is None else Path(dir_path) / FILE
        self.familiarity = Familiarity.load(path) if path is not None and path.is_file() else None

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Segmenter:
        config = dict(config)
        network = keras.saving.deserialize_keras_object(config.pop("network"), custom_objects=custom_objects)
        labels = LabelMap.from_dict(config.pop("labels"), source="the saved model's label map")
        return cls(network, labels, **config)


def normalize_images(images: Any) -> Any:
    """Return float32 images with ImageNet's mean and standard deviation taken out of RGB in [0, 255]."""
    scale = [1 / (255 * std) for std in IMAGE_STD]
    offset = [-mean / std for mean, std in zip(IMAGE_MEAN, IMAGE_STD, strict=True)]
    return ops.cast(images, "float32") * ops.convert_to_tensor(scale, "float32") + ops.convert_to_tensor(
        offset, "float32"
    )


def _backbone_of(network: keras.Model) -> keras.Model:
    backbone = getattr(network, "backbone", None)
    if backbone is None:
        raise ModelError(f"network {network.name} has no backbone to freeze; leave open_blocks out")
    return backbone


def _logits_of(outputs: Any) -> Any:
    return outputs["logits"] if isinstance(outputs, dict) else outputs


def _check_images(images: Any) -> None:
    shape = getattr(images, "shape", None)
    if shape is None:
        raise ModelError(f"images are a {type(images).__name__}; a Segmenter takes one array (B, H, W, 3)")
    shape = tuple(shape)
    if len(shape) == 3:
        raise ModelError(f"images have shape {shape}, without a batch axis; give images[None], of shape {(1, *shape)}")
    if len(shape) != 4:
        raise ModelError(f"images have shape {shape}; a Segmenter takes (B, H, W, 3)")
    if shape[-1] != 3:
        hint = (
            "channels come last; transpose to (B, H, W, 3)"
            if shape[1] == 3
            else "RGB alone, without alpha, is expected"
        )
        raise ModelError(f"images have shape {shape}, {shape[-1]} channels; {hint}")
