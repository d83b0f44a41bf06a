"""Tversky loss: Dice with a price of its own for each kind of mistake."""

from __future__ import annotations

import keras
from keras import ops

from desertseg.losses.pixels import LossError, divide
from desertseg.losses.regions import RegionLoss

_SMALLEST = 1e-7  # what float32 resolves of a cost; below it a root would have an endless slope


@keras.saving.register_keras_serializable(package="desertseg")
class Tversky(RegionLoss):
    """The mean over the classes present in the batch's truth of (1 - tversky[c]) ** (1 / gamma).

    With p[i, c] the softmax probability and t[i, c] the truth (0 or 1) at pixel i, summed over the valid pixels of the
    whole batch: found = sum(p * t), false positives = sum(p * (1 - t)), false negatives = sum((1 - p) * t), and

        tversky[c] = (found + smooth) / (found + alpha * false positives + beta * false negatives + smooth).

    alpha = beta = 0.5 is `Dice` (with half its `smooth`), alpha = beta = 1 the soft Jaccard loss. beta > alpha asks for
    recall, which rare classes lack. A class that no valid pixel has is left out of the mean.

    Sources: Salehi et al., Tversky loss function for image segmentation using 3D fully convolutional deep networks,
    2017, equation 2 (alpha prices false positives, beta false negatives; 0.3 and 0.7 did best there); Abraham and Khan,
    A novel focal Tversky loss function, 2018, equation 4, for gamma.

    Args:
        alpha: price of a false positive, >= 0.
        beta: price of a false negative, >= 0; not 0 with alpha.
        gamma: 1 for the plain loss; 4/3 for the focal Tversky loss, which turns to the classes that do badly.
        smooth: pixels added above and below.
        class_weights: C floats >= 0, or None.
        ignore_index: the label of pixels that do not count.
        name: what Keras calls the loss.
    """

    def __init__(
        self, alpha=0.3, beta=0.7, gamma=1.0, smooth=0.0, class_weights=None, ignore_index=255, name="tversky"
    ):
        super().__init__(class_weights, ignore_index, name)
        self.alpha, self.beta, self.gamma, self.smooth = float(alpha), float(beta), float(gamma), float(smooth)
        for key in ("alpha", "beta", "smooth"):
            if not 0 <= getattr(self, key) < float("inf"):
                raise LossError(f"{key} is {getattr(self, key)}; it must be finite and not negative")
        if self.alpha == self.beta == 0:
            raise LossError("alpha and beta are both 0, so that no mistake costs anything; 0.3 and 0.7 are usual")
        if not 0 < self.gamma < float("inf"):
            raise LossError(f"gamma is {gamma}; it must be finite and positive (1 is plain, 4/3 the focal form)")

    def call(self, y_true, y_pred):
        """Return the scalar loss of integer labels (B, H, W) and logits (B, H, W, C)."""
        pixels = self._pixels(y_true, y_pred)
        missed, extra, truth = self._sums(pixels)
        present = truth > 0
        mistakes = self.alpha * extra + self.beta * missed
        # Sums of probabilities round, so that found may come out below 0.
        found = ops.maximum(truth - missed, 0.0)
        costs = divide(mistakes, ops.where(present, found + mistakes + self.smooth, 1.0))
        if self.gamma != 1:
            costs = ops.power(ops.maximum(costs, _SMALLEST), 1.0 / self.gamma)
        return self._class_mean(costs, present) + pixels.guard

    def get_config(self):
        own = {"alpha": self.alpha, "beta": self.beta, "gamma": self.gamma, "smooth": self.smooth}
        return {**own, **super().get_config()}
