"""An ONNX file in int8: static quantisation, its ranges taken from frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.data import find_frames, letterbox, read_image
from desertseg.data.folders import find_images
from desertseg.errors import UserError
from desertseg.export.half import after_the_weights, before_the_weights
from desertseg.export.quiet import quiet
from desertseg.runtimes import need

FRAMES = 64  # that calibrate: more change the ranges little, and each is computed once


def find_calibration(folder: str | Path, split: str = "train") -> list[Path]:
    """Return the images that calibrate: a data folder's training frames, else every image below; 64 spread over them.

    Args:
        folder: of frames.
        split: of a data folder that is taken.

    Raises:
        UserError: there is no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"--calibrate {folder} is no folder; give a data folder, or one of frames like those to come")
    try:
        images = [frame.image for frame in find_frames(folder, split, masks=False)]
    except UserError:  # no data folder
        images = find_images([folder])
    if not images:
        raise UserError(f"--calibrate {folder} holds no images; give frames like those that the model will see")
    return [images[i] for i in np.unique(np.linspace(0, len(images) - 1, FRAMES).round().astype(int))]


def quantise(source: Path, path: Path, frames: Sequence[Path], size: tuple[int, int], batch: int, resize: str) -> None:
    """Write a float32 ONNX file with int8 weights and activations, as pairs of QuantizeLinear and DequantizeLinear.

    The image's normalisation and all from the last convolution on stay float32.

    Args:
        source, path: of the files.
        frames: images that tell the ranges of the activations.
        size: (height, width) at which they are looked at.
        batch: images a call.
        resize: how frames are fitted into the size, as the recipe has it.

    Raises:
        UserError: onnx or onnxruntime is not installed, or a frame cannot be read.
    """
    purpose = "an int8 .onnx file is made"
    onnx, quantization = need("onnx", "onnx", purpose), need("onnxruntime.quantization", "onnx", purpose)
    graph = onnx.load(source).graph
    padding = [node.name for node in graph.node if node.op_type == "Pad"]  # a pooling's is -inf, which has no range
    with quiet():
        quantization.quantize_static(
            source,
            path,
            _Reader(graph.input[0], frames, size, batch, resize),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            reduce_range=True,  # 7 bits: processors without VNNI add two products in 16 bits, which 8 overflow
            nodes_to_exclude=[*before_the_weights(graph), *padding, *after_the_weights(graph)],
        )


class _Reader:
    """Feeds frames to the calibration, which asks for the next one until there is none."""

    def __init__(self, value: Any, frames: Sequence[Path], size: tuple[int, int], batch: int, resize: str) -> None:
        is_float = value.type.tensor_type.elem_type == 1
        self._dtype = np.float32 if is_float else np.uint8
        self._feeds: Iterator[dict[str, np.ndarray]] = (
            {value.name: np.repeat(letterbox(read_image(p), size, resize)[0][None], batch, 0).astype(self._dtype)}
            for p in frames
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next feed, None after the last."""
        return next(self._feeds, None)
