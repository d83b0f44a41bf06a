"""The same network computing in another precision."""

from __future__ import annotations

from typing import Any

import keras

from desertseg.backend import without_tensorflow
from desertseg.errors import UserError
from desertseg.models import Segmenter

# What a user asks for -> Keras' policy. As in `fit --mixed-precision`, weights and logits stay float32.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def compute_in(segmenter: Segmenter, dtype: str) -> Segmenter:
    """Return a segmenter that computes in `dtype`: the same one where it does already, else a new one, same weights.

    Keras fixes a layer's precision when it is built, so the network is built anew from its arguments.

    Args:
        segmenter: as it was built or loaded.
        dtype: "float32", "bfloat16" or "float16"; the last is an aid for old GPUs, and may overflow.

    Raises:
        UserError: another dtype.
    """
    if dtype not in POLICIES:
        raise UserError(f"dtype '{dtype}' is none to compute in; it is one of {', '.join(POLICIES)}")
    if computed_in(segmenter) == dtype:
        return segmenter
    with without_tensorflow():
        config = segmenter.get_config()
        config["network"] = _with_policy(config["network"], POLICIES[dtype])
        other = Segmenter.from_config(config)
    for theirs, ours in zip(other.variables, segmenter.variables, strict=True):
        theirs.assign(ours)
    other.familiarity = segmenter.familiarity
    return other


def computed_in(segmenter: Segmenter) -> str:
    """Return the dtype that a segmenter's network computes in."""
    return segmenter.network.dtype_policy.compute_dtype


def _with_policy(config: Any, policy: str) -> Any:
    """Return a network's config with every dtype policy in it, its backbone's too, replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return keras.dtype_policies.serialize(keras.dtype_policies.get(policy))
        return {name: _with_policy(value, policy) for name, value in config.items()}
    return [_with_policy(value, policy) for value in config] if isinstance(config, list) else config
