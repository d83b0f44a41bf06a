"""The compiled training step: augmentation, network, loss, update, averages and confusion matrix in one program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from desertseg.augment import augment
from desertseg.engine.devices import Devices
from desertseg.errors import UserError
from desertseg.losses import WeightedSum
from desertseg.metrics import MeanIoU, Scores
from desertseg.models import Segmenter

_STATISTICS = ("moving_mean", "moving_variance")


class _Term(NamedTuple):
    """weight * loss(labels, outputs[source])."""

    weight: float
    loss: Any
    source: str


class Program:
    """One stage of a training: what it changes, and the step that changes it.

    A batch is `({"image": uint8 (B, Hl, Wl, 3), "affine": ..., more parameters}, labels uint8 (B, Hl, Wl))` as
    `load_dataset(augmentation=...)` delivers it. Nothing random is drawn here but dropout, whose seeds are variables:
    a step is a pure function of the state and the batch, so a state that is saved and loaded goes on as if nothing had
    happened.

    While steps run on JAX the state lives in arrays of its own, which each step gives away; `publish` writes it back
    into the model's variables, and must come before anything else looks at the model. Look is all that others may do
    then: Keras' own `predict` and `fit` give the model's arrays away as a step does.

    Args:
        segmenter: the model; which of its variables are trained is decided by now.
        loss: of (labels, logits).
        optimizer: built for `segmenter.trainable_variables`.
        size: training size (height, width).
        accumulate: micro-batches that a batch is cut into, one after the other. Their gradients are weighted by the
            mass of each loss, so that of a loss that is a mean over pixels the sum is the whole batch's; batch
            normalisation sees micro-batches.
        auxiliary_weight: of the loss on the network's auxiliary logits, if it has such a head.
        ema_decay: of the exponential moving average of the weights; 0 keeps none. Early steps average over fewer:
            min(ema_decay, (1 + step) / (10 + step)).
        average: where the average begins, by variable id; by default the weights themselves.
        deterministic: the same bits in every run on a GPU as well, at some cost.
        devices: that share each step; a batch then holds the rows of this host.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        loss: Any,
        optimizer: keras.optimizers.Optimizer,
        size: tuple[int, int],
        *,
        accumulate: int = 1,
        auxiliary_weight: float = 0.4,
        ema_decay: float = 0.0,
        average: Mapping[int, np.ndarray] | None = None,
        deterministic: bool = False,
        devices: Devices | None = None,
    ) -> None:
        self.segmenter, self.optimizer, self.size = segmenter, optimizer, size
        self.accumulate, self.ema_decay = accumulate, ema_decay
        self.metric = MeanIoU(segmenter.num_classes, names=segmenter.labels.names)
        terms = loss.terms() if isinstance(loss, WeightedSum) else [(1.0, loss)]
        self._terms = [_Term(weight, part, "logits") for weight, part in terms]
        if auxiliary_weight and isinstance(segmenter.network.output, dict) and "auxiliary" in segmenter.network.output:
            self._terms += [_Term(auxiliary_weight * weight, part, "auxiliary") for weight, part in terms]
        self._loss_sum = keras.Variable(0.0, dtype="float32", trainable=False, name="loss_sum")
        self._bad_step = keras.Variable(0, dtype="int32", trainable=False, name="bad_step")
        self._trained = list(segmenter.trainable_variables)
        self._averaged = self._trained + [v for v in segmenter.variables if v.path.split("/")[-1] in _STATISTICS]
        given = average or {}
        self._average = [
            # Through NumPy: TensorFlow would take the variable itself for the average of itself.
            keras.Variable(given.get(id(v), ops.convert_to_numpy(v.value)), trainable=False, name="average")
            for v in (self._averaged if ema_decay else [])
        ]
        self._variables: dict[str, list[keras.Variable]] = {
            "trained": self._trained,
            "other": list(segmenter.non_trainable_variables),
            "optimizer": list(optimizer.variables),
            "average": self._average,
            "measured": [self._loss_sum, self._bad_step, *self.metric.variables],
        }
        if keras.backend.backend() == "jax":
            from desertseg.engine.program_jax import JaxStep

            self._runner: Any = JaxStep(self, self._variables, deterministic, devices or Devices())
        else:
            from desertseg.engine.program_tensorflow import TensorFlowStep

            self._runner = TensorFlowStep(self, self._variables)

    def step(self, batch: tuple[Mapping[str, Any], Any], learning_rate: float, number: int) -> Any:
        """Train on a batch and return its loss, a device array that need not be waited for.

        Args:
            batch: (inputs, labels).
            learning_rate: of this step.
            number: of this step in the whole training, from 1.
        """
        inputs, labels = batch
        return self._runner(dict(inputs), labels, np.float32(learning_rate), np.int32(number))

    def publish(self) -> None:
        """Write the state into the variables of the model, the optimiser and the metric."""
        self._runner.publish()

    def bad_step(self) -> int:
        """Return the number of the first step whose loss was not finite, 0 for none. Waits for the device."""
        return int(self._runner.read("measured", 1))

    def mean_loss(self, steps: int) -> float:
        """Return the mean loss over the last `steps` steps since `forget`. Waits for the device."""
        return float(self._runner.read("measured", 0)) / max(1, steps)

    def wait(self, loss: Any) -> None:
        """Return when the step that gave `loss` has been computed."""
        self._runner.wait(loss)

    def measured(self, steps: int) -> tuple[Scores, float]:
        """Return the scores on the augmented training pixels since `forget`, and the mean loss over `steps` steps."""
        self.publish()
        return self.metric.scores(), self.mean_loss(steps)

    def forget(self) -> None:
        """Begin to measure anew, as at the start of an epoch."""
        self.publish()
        self.metric.reset_state()
        self._loss_sum.assign(0.0)
        self._runner.adopt()

    def state(self) -> dict[str, Any]:
        """Return a copy of every array of the state by name; the copies are not waited for."""
        copies = self._runner.copy()
        return {name: copies[group][index] for name, group, index, _ in self._names()}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over the arrays that `state` gave.

        Raises:
            UserError: they are not those of this network and optimiser.
        """
        for name, _, _, variable in self._names():
            if name not in arrays or tuple(arrays[name].shape) != tuple(variable.shape):
                raise UserError(
                    f"the state has no {name} ({variable.path}) of shape {tuple(variable.shape)}: another version of "
                    "desertseg or Keras wrote it; go on with that one, or start a new run with --weights"
                )
        for name, _, _, variable in self._names():
            variable.assign(arrays[name])
        self._runner.adopt()

    def _names(self) -> Iterator[tuple[str, str, int, keras.Variable]]:
        """Yield (name, group, index, variable); Keras' own names count the layers of a process."""
        for group, variables in self._variables.items():
            for index, variable in enumerate(variables):
                yield f"{group}/{index:04d}", group, index, variable

    def averages(self) -> dict[int, np.ndarray]:
        """Return the averaged weights by the id of the variable that they are the average of."""
        self.publish()
        values = [np.asarray(ops.convert_to_numpy(a.value)) for a in self._average]
        return {id(v): value for v, value in zip(self._averaged, values, strict=False)}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights into the model for a while."""
        self.publish()
        kept = [ops.copy(v.value) for v in self._averaged]
        for variable, average in zip(self._averaged, self._average, strict=True):
            variable.assign(average.value)
        try:
            yield
        finally:
            for variable, value in zip(self._averaged, kept, strict=True):
                variable.assign(value)

    # What follows is traced into the step by the runner of the backend.

    def augmented(self, inputs: dict[str, Any], labels: Any) -> tuple[Any, Any]:
        """Return the images and labels to train on, at training size."""
        parameters = {key: value for key, value in inputs.items() if key != "image"}
        return augment(inputs["image"], labels, parameters, self.size)

    def shares(self, labels: Any) -> Any:
        """Return float32 (K, terms): each micro-batch's part of each term's mean, for labels (K, B / K, h, w)."""
        count = labels.shape[0]
        if count == 1:
            return ops.ones((1, len(self._terms)))
        rows = [ops.stack([term.loss.mass(labels[k]) for term in self._terms]) for k in range(count)]
        masses = ops.stack(rows)
        total = ops.sum(masses, axis=0, keepdims=True)
        return ops.where(total > 0, masses / ops.where(total > 0, total, 1.0), 1.0 / count)

    def loss(self, images: Any, labels: Any, share: Any) -> tuple[Any, Any]:
        """Return a micro-batch's part of the loss, and the predicted labels int32 (B, h, w)."""
        outputs = self.segmenter.outputs(images, training=True)
        total = ops.zeros(())
        for index, term in enumerate(self._terms):
            total = total + term.weight * share[index] * term.loss(labels, outputs[term.source])
        return total, ops.cast(ops.argmax(outputs["logits"], axis=-1), "int32")

    def update(self, gradients: list, loss: Any, labels: Any, predictions: Any, rate: Any, number: Any) -> None:
        """Move the weights, and what is measured and averaged of them."""
        self.optimizer.learning_rate = rate
        self.optimizer.apply(gradients, self._trained)
        self.metric.update_state(labels, predictions)
        self._loss_sum.assign(self._loss_sum + loss)
        known = ops.convert_to_tensor(self._bad_step)
        self._bad_step.assign(ops.where(ops.isfinite(loss) | (known > 0), known, number))
        if not self._average:
            return
        done = ops.cast(number, "float32")
        decay = ops.minimum(self.ema_decay, (1 + done) / (10 + done))
        for average, variable in zip(self._average, self._averaged, strict=True):
            average.assign(average + (1 - decay) * (variable - average))
