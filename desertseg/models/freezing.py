"""Which part of a backbone is trained: none of it, its last blocks, or all."""

from __future__ import annotations

import re

import keras

from desertseg.models.errors import ModelError

_BLOCK = re.compile(r"(?:stage(\d+)_)?block(\d+)_")


def freeze_backbone(backbone: keras.Model, open_blocks: int) -> None:
    """Close all of a backbone but its last blocks and what follows them; before `compile`.

    A closed layer has no trainable variable, so no gradient is computed for it and, where nothing before it is open
    either, no activation is kept for one. Its batch normalisation stays in inference mode.

    Args:
        backbone: whose layers are named `stage{i}_block{j}_...` or `block{i}_...`; any model when `open_blocks` is 0.
        open_blocks: how many of the last blocks are trained; 0 closes everything.

    Raises:
        ModelError: a negative number, more blocks than there are, or a backbone without named blocks.
    """
    if open_blocks == 0:
        backbone.trainable = False
        return
    blocks = block_names(backbone)
    if not 0 < open_blocks <= len(blocks):
        if not blocks:
            raise ModelError(
                f"the backbone, '{backbone.name}', has no layers named block1_... or stage1_block1_..., so open_blocks="
                f"{open_blocks} says nothing; use 0, or set layer.trainable yourself"
            )
        raise ModelError(f"open_blocks is {open_blocks}; the backbone has blocks 1 to {len(blocks)}")
    opened = _from_here_on(backbone, tuple(blocks[-open_blocks:]))
    backbone.trainable = True
    for layer in backbone.layers:
        layer.trainable = layer.name in opened


def open_backbone(backbone: keras.Model) -> None:
    """Open all of a backbone, whatever was closed."""
    backbone.trainable = True
    for layer in backbone.layers:
        layer.trainable = True


def _from_here_on(backbone: keras.Model, prefixes: tuple[str, ...]) -> set[str]:
    """Return the names of the layers that begin with a prefix or take, by any way, what such a layer gives.

    A layer that is called several times, as the last normalisation on the tokens of several blocks, counts when one of
    its calls does.
    """
    opened: set[str] = set()
    for layer in backbone.layers:  # parents first, but for a layer whose later calls take what comes behind it
        parents = {node.operation.name for call in layer._inbound_nodes for node in call.parent_nodes}
        if layer.name.startswith(prefixes) or parents & opened or any(p.startswith(prefixes) for p in parents):
            opened.add(layer.name)
    return opened


def block_names(backbone: keras.Model) -> list[str]:
    """Return the prefixes of a backbone's blocks from the first to the last, such as "stage1_block1_"."""
    found = {}
    for layer in backbone.layers:
        match = _BLOCK.match(layer.name)
        if match:
            found[match.group()] = (int(match.group(1) or 0), int(match.group(2)))
    return sorted(found, key=lambda name: found[name])
