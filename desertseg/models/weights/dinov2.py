"""DINOv2 of Facebook, timm and Hugging Face, and the head file of the organiser's starter code.

Facebook's names are the canonical ones here; what the others write is translated into them tensor by tensor.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from desertseg.models.dinov2 import PATCH
from desertseg.models.token_heads import ConvNeXtHead
from desertseg.models.weights.layout import Assignment, Found, Layout, Tensors, layer_assignments, weighted_layers

# (width, depth, gated feed-forward part) -> the zoo's name without registers
_NAMES = {
    (384, 12, False): "dinov2_vits14",
    (768, 12, False): "dinov2_vitb14",
    (1024, 24, False): "dinov2_vitl14",
    (1536, 40, True): "dinov2_vitg14",
}
_HEAD_WIDTH = 64
_GRID = 37
# Applied one after another: theirs -> Facebook's.
_TRANSLATIONS = [
    # A checkpoint of Facebook's training code, which holds the heads of pre-training too
    (r"^backbone\.", ""),
    # With block chunks, Facebook's blocks.{chunk}.{block}; the block counts on through the chunks.
    (r"blocks\.\d+\.(?=\d+\.)", "blocks."),
    # timm
    (r"^reg_token$", "register_tokens"),
    # Hugging Face: alone, or inside a classification model
    (r"^(dinov2|dinov2_with_registers)\.", ""),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"^embeddings\.", ""),
    (r"^layernorm\.", "norm."),
    (r"^encoder\.layer\.", "blocks."),
    (r"attention\.attention\.(query|key|value)\.", r"attn.\1."),
    (r"attention\.q_proj\.", "attn.query."),
    (r"attention\.k_proj\.", "attn.key."),
    (r"attention\.v_proj\.", "attn.value."),
    (r"attention\.(output\.dense|o_proj)\.", "attn.proj."),
    (r"layer_scale(\d)\.lambda1", r"ls\1.gamma"),
    (r"mlp\.weights_in\.", "mlp.w12."),
    (r"mlp\.gate_proj\.", "mlp.w1."),
    (r"mlp\.up_proj\.", "mlp.w2."),
    (r"mlp\.(weights_out|down_proj)\.", "mlp.w3."),
]
# A layer of a block -> the ways in which its weights are written; where they are several modules they are stacked.
_PARTS = {
    "norm1": [["norm1"]],
    "qkv": [["attn.qkv"], ["attn.query", "attn.key", "attn.value"]],
    "project": [["attn.proj"]],
    "norm2": [["norm2"]],
    "expand": [["mlp.fc1"], ["mlp.w12"], ["mlp.w1", "mlp.w2"]],
    "contract": [["mlp.fc2"], ["mlp.w3"]],
}


def _canonical(name: str) -> str:
    for pattern, replacement in _TRANSLATIONS:
        name = re.sub(pattern, replacement, name)
    return name


def _detect(tensors: Tensors) -> Found | None:
    known = {_canonical(name): tensor.shape for name, tensor in tensors.items()}
    needed = ("patch_embed.proj.weight", "pos_embed", "cls_token", "norm.weight", "blocks.0.ls1.gamma")
    if not all(name in known for name in needed) or known[needed[0]][1:] != (3, PATCH, PATCH):
        return None
    author = _author(tensors, known)
    registers = known["register_tokens"][1] if "register_tokens" in known else 0
    name, options = _size(known, known["cls_token"][-1])
    grid = _grid(known["pos_embed"][1])
    if grid not in (None, _GRID):
        options["position_grid"] = grid
    if registers not in (0, 4):
        options["num_registers"] = registers
    if not registers and author != "Facebook":  # with registers all three resize alike
        options |= {"position_offset": 0.0, **({"position_antialias": True} if author == "timm" else {})}
    return Found(f"{author} DINOv2", "backbone", "convnext_head", name + ("_reg" if registers else ""), options)


def _author(tensors: Tensors, known: dict[str, tuple[int, ...]]) -> str:
    if any("embeddings." in name for name in tensors):
        return "Hugging Face"
    # timm drops the mask token, and writes the gated part as fc1 and fc2.
    return "Facebook" if "mask_token" in known else "timm"


def _size(known: Mapping[str, tuple[int, ...]], width: int) -> tuple[str, dict[str, Any]]:
    """Return the zoo's name without registers, and options for a size that the zoo has not."""
    depth = 1 + max(int(match[1]) for match in (re.match(r"blocks\.(\d+)\.", name) for name in known) if match)
    swiglu = _is_gated(known)
    name = _NAMES.get((width, depth, swiglu))
    if name is not None:
        return name, {}
    options = {"width": width, "depth": depth, "num_heads": max(1, width // _HEAD_WIDTH)}
    return "dinov2_vits14", {**options, "swiglu": True} if swiglu else options


def _is_gated(known: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether the feed-forward part is SwiGLU, which timm writes under the plain part's names."""
    expand, contract = known.get("blocks.0.mlp.fc1.weight"), known.get("blocks.0.mlp.fc2.weight")
    return expand is None or contract is None or expand[0] != contract[1]


def _grid(count: int) -> int | None:
    """Return the side of the square of `count` position embeddings, with the class token's or without."""
    return next((math.isqrt(n) for n in (count - 1, count) if math.isqrt(n) ** 2 == n), None)


def _modules(layer: str, known: Container[str]) -> list[str] | None:
    """Return Facebook's names of the modules whose weights ours stacks, None for a layer of another kind."""
    if layer in ("patch_embed", "norm"):
        return ["patch_embed.proj" if layer == "patch_embed" else layer]
    match = re.fullmatch(r"block(\d+)_(\w+)", layer)
    if match is None or match[2] not in _PARTS:
        return None
    ways = [[f"blocks.{int(match[1]) - 1}.{module}" for module in modules] for modules in _PARTS[match[2]]]
    return next((way for way in ways if all(f"{module}.weight" in known for module in way)), ways[0])


def _assign(backbone: keras.Model, tensors: Tensors) -> list[Assignment]:
    written = {_canonical(name): name for name in tensors}
    modules = {layer.name: _modules(layer.name, written) for layer in weighted_layers(backbone)}
    single = {layer: names[0] for layer, names in modules.items() if names and len(names) == 1}
    found = layer_assignments(backbone, single.get)
    for layer in weighted_layers(backbone):
        if layer.name not in single:
            found += [_assignment(layer.name, variable, modules[layer.name]) for variable in layer.weights]
    return [replace(a, tensors=tuple(written.get(name, name) for name in a.tensors)) for a in found]


def _assignment(layer: str, variable: Any, modules: list[str] | None) -> Assignment:
    """Return the assignment of a variable that is not simply a module's."""
    if modules:
        suffix, convert = ("bias", _stack) if variable.name == "bias" else ("weight", lambda *a: _stack(*a).T)
        return Assignment(variable, tuple(f"{module}.{suffix}" for module in modules), convert)
    if variable.name == "gamma":
        match = re.fullmatch(r"block(\d+)_scale(\d)", layer)
        assert match is not None, layer
        return Assignment(variable, (f"blocks.{int(match[1]) - 1}.ls{match[2]}.gamma",), np.asarray)
    if variable.name == "positions":
        return Assignment(variable, ("pos_embed",), lambda array: _with_class_position(array[0], variable.shape[0]))
    return Assignment(variable, ({"class_token": "cls_token"}.get(layer, layer),), lambda array: array[0])


def _stack(*arrays: np.ndarray) -> np.ndarray:
    return np.concatenate(arrays)


def _with_class_position(positions: np.ndarray, count: int) -> np.ndarray:
    """Return the positions with the class token's first: 0 where its token holds it already, as in timm's."""
    missing = np.zeros((int(len(positions) == count - 1), positions.shape[1]), positions.dtype)
    return np.concatenate([missing, positions])


def _detect_head(tensors: Tensors) -> Found | None:
    stem, classifier = tensors.get("stem.0.weight"), tensors.get("classifier.weight")
    if stem is None or classifier is None or stem.shape[2:] != (7, 7) or "block.2.weight" not in tensors:
        return None
    widths = {width: name for (width, _, _), name in _NAMES.items()}
    backbone = widths.get(stem.shape[1], "dinov2_vits14")
    return Found(STARTER_HEAD.name, "network", "convnext_head", backbone, {"channels": len(stem)}, len(classifier))


def _assign_head(network: keras.Model, tensors: Tensors) -> list[Assignment]:
    modules = {"head_stem": "stem.0", "head_depthwise": "block.0", "head_pointwise": "block.2"}
    return layer_assignments(network, {**modules, "classifier": "classifier"}.get)


DINOV2 = Layout(
    "DINOv2 (Facebook, timm, Hugging Face)",
    _detect,
    _assign,
    excused={
        r"(.*\.)?mask_token": "token of pre-training",
        r"(classifier|head|linear_head)\..*": "ImageNet classifier",
        r"(dino|ibot)_head\..*": "head of pre-training",
    },
)
STARTER_HEAD = Layout(
    "starter code's segmentation head",
    _detect_head,
    _assign_head,
    left=(r"(?!head_|classifier$).*",),  # the backbone, which has a file of its own
    network=ConvNeXtHead,
)
