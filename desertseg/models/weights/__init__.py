"""Foreign checkpoints into our networks: every tensor exactly once, or a message and nothing changed."""

from desertseg.models.weights.layout import Found
from desertseg.models.weights.load import LoadedWeights, describe_weights, load_weights_from
from desertseg.models.weights.presets import Preset, presets_for
from desertseg.models.weights.source import is_preset

__all__ = [
    "Found",
    "LoadedWeights",
    "Preset",
    "describe_weights",
    "is_preset",
    "load_weights_from",
    "presets_for",
]
