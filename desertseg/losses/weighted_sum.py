"""A weighted sum of losses as one loss."""

from __future__ import annotations

import math

import keras

from desertseg.losses.pixels import LossError


@keras.saving.register_keras_serializable(package="desertseg")
class WeightedSum(keras.losses.Loss):
    """sum(weights[k] * losses[k](labels, logits)).

    Args:
        losses: the losses, each of which returns a scalar; those of this package, or Keras' own.
        weights: one float a loss; None for 1 each. They are used as they stand, not normalised.
        name: what Keras calls the loss.

    Raises:
        LossError: no losses, or not one finite weight for each.
    """

    def __init__(self, losses, weights=None, name="weighted_sum"):
        super().__init__(name=name, reduction=None, dtype="float32")
        self.losses = list(losses)
        self.weights = [1.0] * len(self.losses) if weights is None else [float(w) for w in weights]
        if not self.losses or len(self.weights) != len(self.losses) or not all(map(math.isfinite, self.weights)):
            raise LossError(
                f"{name} has {len(self.losses)} losses and the weights {self.weights}; give one or more losses and one "
                "finite weight for each"
            )

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Return the scalar loss; sample weights go to each loss, which uses or refuses them."""
        terms = (
            w * loss(y_true, y_pred, sample_weight) for w, loss in zip(self.weights, self.losses, strict=True) if w != 0
        )
        return sum(terms, start=0.0)

    def call(self, y_true, y_pred):
        """Return the scalar loss of integer labels (B, H, W) and logits (B, H, W, C)."""
        return self(y_true, y_pred)

    def terms(self) -> list[tuple[float, keras.losses.Loss]]:
        """Return (weight, loss) of each term, with the terms of sums inside the sum in their place."""
        terms: list[tuple[float, keras.losses.Loss]] = []
        for weight, loss in zip(self.weights, self.losses, strict=True):
            inner = loss.terms() if isinstance(loss, WeightedSum) else [(1.0, loss)]
            terms += [(weight * share, part) for share, part in inner]
        return terms

    def mass(self, labels):
        """Return the mean of the terms' masses by the size of their weights, a float32 scalar.

        Where all terms divide by the same number, that is this number. Where they do not (one has class weights and
        another has none), accumulate each of `terms` by its own mass.

        Args:
            labels: integer labels (B, H, W).

        Raises:
            LossError: a loss of Keras' own, which has no mass.
        """
        terms = [(abs(weight), loss) for weight, loss in self.terms() if weight != 0]
        strange = [loss.name for _, loss in terms if not hasattr(loss, "mass")]
        if strange:
            raise LossError(f"{', '.join(strange)} in {self.name} has no mass; use the losses of desertseg.losses")
        scale = sum(weight for weight, _ in terms) or 1.0
        return sum((weight / scale * loss.mass(labels) for weight, loss in terms), start=0.0)

    def get_config(self):
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {"losses": losses, "weights": self.weights, "name": self.name}

    @classmethod
    def from_config(cls, config):
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(**{**config, "losses": losses})
