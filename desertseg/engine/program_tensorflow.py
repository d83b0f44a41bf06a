"""The training step on TensorFlow: one graph that changes the variables themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from desertseg.engine.program import Program


class TensorFlowStep:
    """Runs the compiled step; the state is in the variables. The arguments are those of `JaxStep`."""

    def __init__(self, program: Program, variables: dict[str, list[keras.Variable]]) -> None:
        self._program, self._variables = program, variables
        # Not by XLA: TensorFlow's own CPU kernels beat its XLA ones by far.
        self._step = tf.function(self._trace)

    def __call__(self, inputs: dict[str, Any], labels: Any, rate: Any, number: Any) -> Any:
        # A NumPy array would be a constant of the graph, and every batch another graph.
        arrays = tf.nest.map_structure(tf.convert_to_tensor, (inputs, labels, rate, number))
        return self._step(*arrays)

    def adopt(self) -> None:
        """The variables are the state already."""

    def publish(self) -> None:
        """The variables are the state already."""

    def copy(self) -> dict[str, list[Any]]:
        return {group: [tf.identity(v.value) for v in variables] for group, variables in self._variables.items()}

    def read(self, group: str, index: int) -> Any:
        return self._variables[group][index].value.numpy()

    @staticmethod
    def wait(loss: Any) -> None:
        loss.numpy()

    def _trace(self, inputs: dict[str, Any], labels: Any, rate: Any, number: Any) -> Any:
        program = self._program
        images, labels = program.augmented(inputs, labels)
        parts = program.accumulate
        images, labels = (tf.stack([x[k::parts] for k in range(parts)]) for x in (images, labels))
        shares = program.shares(labels)
        trained = [v.value for v in self._variables["trained"]]
        total: list[Any] = []
        loss, predictions = tf.zeros(()), []
        for k in range(parts):
            with tf.GradientTape() as tape:
                part, predicted = program.loss(images[k], labels[k], shares[k])
            gradients = tape.gradient(part, trained)
            total = [a + b for a, b in zip(total, gradients, strict=True)] if total else gradients
            loss = loss + part
            predictions.append(predicted)
        program.update(total, loss, labels, tf.stack(predictions), rate, number)
        return loss
