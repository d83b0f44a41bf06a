"""SegFormer of Hugging Face, of nvidia's own files (mmsegmentation of 2021) and of segmentation_models.pytorch."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from desertseg.models.segformer import SegFormer
from desertseg.models.weights.layout import Assignment, Found, Layout, Tensors, layer_assignments, weighted_layers

_WIDE = (64, 128, 320, 512)
# (widths, depths) -> the zoo's name
_NAMES: dict[tuple[tuple[int, ...], tuple[int, ...]], str] = {
    ((32, 64, 160, 256), (2, 2, 2, 2)): "mit_b0",
    (_WIDE, (2, 2, 2, 2)): "mit_b1",
    (_WIDE, (3, 4, 6, 3)): "mit_b2",
    (_WIDE, (3, 4, 18, 3)): "mit_b3",
    (_WIDE, (3, 8, 27, 3)): "mit_b4",
    (_WIDE, (3, 6, 40, 3)): "mit_b5",
}
_NVIDIA_PARTS = {
    "norm1": "norm1",
    "query": "attn.q",
    "key_value": "attn.kv",
    "reduce": "attn.sr",
    "reduce_norm": "attn.norm",
    "project": "attn.proj",
    "norm2": "norm2",
    "expand": "mlp.fc1",
    "depthwise": "mlp.dwconv.dwconv",
    "contract": "mlp.fc2",
}


@dataclass(frozen=True)
class _Names:
    """How somebody names the modules; {i} counts stages from 0, {n} from 1, {j} blocks from 0.

    Attributes:
        embed, embed_norm, block, norm: of a stage.
        parts: our name of a layer of a block -> theirs, under `block`. Two joined by "+" are stacked in ours.
        projection, fuse, fuse_norm, classifier: of the head; `projection` counts {r} from the deepest stage too.
    """

    embed: str
    embed_norm: str
    block: str
    norm: str
    parts: dict[str, str]
    projection: str = ""
    fuse: str = ""
    fuse_norm: str = ""
    classifier: str = ""

    def module(self, layer: str) -> str | None:
        """Return their name of our MiT's layer, None for a layer of something else."""
        match = re.fullmatch(r"stage(\d)_(?:block(\d+)_)?(\w+)", layer)
        if match is None:
            return None
        numbers = {"i": int(match[1]) - 1, "n": int(match[1]), "j": int(match[2] or 1) - 1}
        if match[2]:
            parts = self.parts.get(match[3])
            return parts and "+".join(self.block.format(**numbers) + part for part in parts.split("+"))
        module = {"embed": self.embed, "embed_norm": self.embed_norm, "norm": self.norm}.get(match[3])
        return module and module.format(**numbers)


# Since version 5 of transformers; its save_pretrained still writes the older names.
_TRANSFORMERS = _Names(
    "stages.{i}.patch_embeddings.proj",
    "stages.{i}.patch_embeddings.layer_norm",
    "stages.{i}.blocks.{j}.",
    "stages.{i}.layer_norm",
    {
        "norm1": "layernorm_before",
        "query": "attention.q_proj",
        "key_value": "attention.k_proj+attention.v_proj",
        "reduce": "attention.sequence_reduction.sequence_reduction",
        "reduce_norm": "attention.sequence_reduction.layer_norm",
        "project": "attention.o_proj",
        "norm2": "layernorm_after",
        "expand": "mlp.fc1",
        "depthwise": "mlp.dwconv.dwconv",
        "contract": "mlp.fc2",
    },
    "decode_head.linear_projections.{i}.proj",
    "decode_head.linear_fuse",
    "decode_head.batch_norm",
    "decode_head.classifier",
)
_TRANSFORMERS_4 = _Names(
    "encoder.patch_embeddings.{i}.proj",
    "encoder.patch_embeddings.{i}.layer_norm",
    "encoder.block.{i}.{j}.",
    "encoder.layer_norm.{i}",
    {
        "norm1": "layer_norm_1",
        "query": "attention.self.query",
        "key_value": "attention.self.key+attention.self.value",
        "reduce": "attention.self.sr",
        "reduce_norm": "attention.self.layer_norm",
        "project": "attention.output.dense",
        "norm2": "layer_norm_2",
        "expand": "mlp.dense1",
        "depthwise": "mlp.dwconv.dwconv",
        "contract": "mlp.dense2",
    },
    "decode_head.linear_c.{i}.proj",
    "decode_head.linear_fuse",
    "decode_head.batch_norm",
    "decode_head.classifier",
)
_NVIDIA_BACKBONE = ("patch_embed{n}.proj", "patch_embed{n}.norm", "block{n}.{j}.", "norm{n}", _NVIDIA_PARTS)
_NVIDIA = _Names(
    *_NVIDIA_BACKBONE,
    "decode_head.linear_c{n}.proj",
    "decode_head.linear_fuse.conv",
    "decode_head.linear_fuse.bn",
    "decode_head.linear_pred",
)
_SMP = _Names(
    *_NVIDIA_BACKBONE,
    "decoder.mlp_stage.{r}.linear",
    "decoder.fuse_stage.0",
    "decoder.fuse_stage.1",
    "segmentation_head.0",
)


def _encoder(tensors: Tensors, names: _Names, prefix: str) -> tuple[str, dict[str, Any]] | None:
    """Return the zoo's name of the MiT whose tensors begin with `prefix`, and options where it is a size of its own."""

    def shape(layer: str) -> tuple[int, ...] | None:
        tensor = tensors.get(f"{prefix}{(names.module(layer) or '').split('+')[0]}.weight")
        return None if tensor is None else tensor.shape

    embeds = [shape(f"stage{stage}_embed") for stage in range(1, 5)]
    if any(embed is None or len(embed) != 4 for embed in embeds):
        return None
    widths = tuple(embed[0] for embed in embeds if embed)
    depths = tuple(sum(shape(f"stage{s}_block{b}_query") is not None for b in range(1, 65)) for s in range(1, 5))
    if (widths, depths) in _NAMES:
        return _NAMES[widths, depths], {}
    reductions = tuple((shape(f"stage{stage}_block1_reduce") or (1,))[-1] for stage in range(1, 5))
    return "mit_b0", {"widths": widths, "depths": depths, "reductions": reductions}


def _network(tensors: Tensors, names: _Names, prefix: str, layout: str) -> Found | None:
    encoder = _encoder(tensors, names, prefix)
    fuse, classifier = tensors.get(f"{names.fuse}.weight"), tensors.get(f"{names.classifier}.weight")
    if encoder is None or fuse is None or classifier is None:
        return None
    options = {**encoder[1], "decoder_channels": fuse.shape[0]}
    return Found(layout, "network", "segformer", encoder[0], options, classifier.shape[0])


def _assign(target: keras.Model, names: _Names, prefix: str) -> list[Assignment]:
    """Return the assignments of a MiT and, where the target has one, of the head on it."""
    modules: dict[str, str | None] = {}
    for layer in weighted_layers(target):
        module = names.module(layer.name)
        modules[layer.name] = module and prefix + module.replace("+", "+" + prefix)
    modules |= {"fusion_norm": names.fuse_norm, "classifier": names.classifier}
    stacked = {layer: module.split("+") for layer, module in modules.items() if module and "+" in module}
    found = layer_assignments(target, lambda layer: None if layer in stacked else modules[layer])
    for layer in weighted_layers(target):
        if layer.name in stacked:
            found += [_stacked(variable, stacked[layer.name]) for variable in layer.weights]
        if layer.name == "fusion":
            found += [_fusion(variable, names, len(layer.kernels)) for variable in layer.weights]
    return found


def _stacked(variable: Any, modules: list[str]) -> Assignment:
    """Return the assignment of a linear layer of ours that computes several of theirs at once."""
    if variable.name == "bias":
        return Assignment(variable, tuple(f"{m}.bias" for m in modules), lambda *arrays: np.concatenate(arrays))
    return Assignment(
        variable, tuple(f"{m}.weight" for m in modules), lambda *arrays: np.concatenate(arrays).T[None, None]
    )


def _fusion(variable: Any, names: _Names, count: int) -> Assignment:
    if variable.name == "fusion_kernel":
        # Theirs takes the concatenated features, the deepest first.
        return Assignment(
            variable,
            (f"{names.fuse}.weight",),
            lambda array: array[:, :, 0, 0].T.reshape(count, array.shape[1] // count, -1)[::-1],
        )
    index, kind = re.fullmatch(r"projection(\d+)_(kernel|bias)", variable.name).groups()  # type: ignore[union-attr]
    module = names.projection.format(i=int(index) - 1, n=int(index), r=count - int(index))
    return Assignment(variable, (f"{module}.{'weight' if kind == 'kernel' else 'bias'}",), np.transpose)


def _hugging_face(tensors: Tensors) -> tuple[_Names, str]:
    """Return which names a Hugging Face file uses, and what stands before the encoder's."""
    prefix = "segformer." if any(name.startswith("segformer.") for name in tensors) else ""
    new = f"{prefix}{_TRANSFORMERS.embed.format(i=0)}.weight" in tensors
    return (_TRANSFORMERS if new else _TRANSFORMERS_4), prefix


def _detect_hugging_face(tensors: Tensors) -> Found | None:
    return _network(tensors, *_hugging_face(tensors), HUGGING_FACE.name)


def _detect_hugging_face_encoder(tensors: Tensors) -> Found | None:
    return _backbone(tensors, *_hugging_face(tensors), HUGGING_FACE_ENCODER.name)


def _backbone(tensors: Tensors, names: _Names, prefix: str, layout: str) -> Found | None:
    encoder = _encoder(tensors, names, prefix)
    return None if encoder is None else Found(layout, "backbone", "segformer", *encoder)


def _assigner(names: Callable[[Tensors], tuple[_Names, str]]) -> Callable[[keras.Model, Tensors], list[Assignment]]:
    return lambda target, tensors: _assign(target, *names(tensors))


HUGGING_FACE_ENCODER = Layout(
    "Hugging Face SegFormer encoder",
    _detect_hugging_face_encoder,
    _assigner(_hugging_face),
    excused={r"classifier\..*": "ImageNet classifier"},
)
HUGGING_FACE = Layout(
    "Hugging Face SegFormer",
    _detect_hugging_face,
    _assigner(_hugging_face),
    network=SegFormer,
    backbone=("segformer.", HUGGING_FACE_ENCODER),
)
MIT = Layout(
    "nvidia MiT",
    partial(_backbone, names=_NVIDIA, prefix="", layout="nvidia MiT"),
    _assigner(lambda tensors: (_NVIDIA, "")),
    excused={r"head\..*": "ImageNet classifier"},
)
NVIDIA_SEGFORMER = Layout(
    "nvidia SegFormer",
    partial(_network, names=_NVIDIA, prefix="backbone.", layout="nvidia SegFormer"),
    _assigner(lambda tensors: (_NVIDIA, "backbone.")),
    # The base class of mmsegmentation's heads makes it, SegFormer's head does not use it.
    excused={r"decode_head\.conv_seg\..*": "unused by the original"},
    network=SegFormer,
    backbone=("backbone.", MIT),
)
SMP_SEGFORMER = Layout(
    "segmentation_models.pytorch SegFormer",
    partial(_network, names=_SMP, prefix="encoder.", layout="segmentation_models.pytorch SegFormer"),
    _assigner(lambda tensors: (_SMP, "encoder.")),
    network=SegFormer,
    backbone=("encoder.", MIT),
)
