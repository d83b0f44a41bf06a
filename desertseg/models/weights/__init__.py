"""Foreign checkpoints into our networks: every tensor exactly once, or a message and nothing changed."""

from desertseg.models.weights.load import LoadedWeights, describe_weights, load_weights_from

__all__ = ["LoadedWeights", "describe_weights", "load_weights_from"]
