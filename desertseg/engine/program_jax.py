"""The training step on JAX: a pure function of arrays, compiled once, that gives its old state away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import keras

from desertseg.engine.compiled import compiler_options

if TYPE_CHECKING:
    from desertseg.engine.devices import Devices
    from desertseg.engine.program import Program

Values = dict[str, list[Any]]


class JaxStep:
    """Holds the state's arrays and runs the compiled step on them.

    Args:
        program: gives the parts of the step.
        variables: what the state consists of, in groups.
        deterministic: the same bits in every run on a GPU as well.
        devices: hold the state, each all of it, and the batch, each its rows. The program is that of the whole batch,
            so its means are, too, those of batch normalisation among them.
    """

    def __init__(
        self, program: Program, variables: dict[str, list[keras.Variable]], deterministic: bool, devices: Devices
    ) -> None:
        self._program, self._variables, self._devices = program, variables, devices
        options = compiler_options(deterministic)
        self._step = jax.jit(self._trace, donate_argnums=0, compiler_options=options, out_shardings=devices.replicated)
        self._copy = jax.jit(lambda values: jax.tree.map(jnp.copy, values))
        self._values: Values = {}
        self.adopt()

    def __call__(self, inputs: dict[str, Any], labels: Any, rate: Any, number: Any) -> Any:
        inputs, labels = self._devices.share((inputs, labels))
        self._values, loss = self._step(self._values, inputs, labels, rate, number)
        return loss

    def adopt(self) -> None:
        """Take the state from the variables; a copy, because a step gives it away and others may hold the original."""
        own = self._copy({g: [v.value for v in vs] for g, vs in self._variables.items()})
        self._values = self._devices.spread(own)
        self.publish()

    def publish(self) -> None:
        """Let the variables show the arrays of the state, which the next step takes from them."""
        for group, values in self._devices.own(self._values).items():
            for variable, value in zip(self._variables[group], values, strict=True):
                variable.assign(value)

    def copy(self) -> Values:
        return self._copy(self._devices.own(self._values))

    def read(self, group: str, index: int) -> Any:
        return self._values[group][index]

    @staticmethod
    def wait(loss: Any) -> None:
        loss.block_until_ready()

    def _scope(self, values: Values) -> keras.StatelessScope:
        pairs = [(v, x) for g, xs in values.items() for v, x in zip(self._variables[g], xs, strict=True)]
        return keras.StatelessScope(state_mapping=pairs)

    def _trace(self, values: Values, inputs: dict[str, Any], labels: Any, rate: Any, number: Any) -> tuple[Values, Any]:
        program = self._program
        # Each device augments its own rows, but where a row takes from another one, which XLA has them exchange.
        augmented = program.augmented if "partner" in inputs else self._devices.by_rows(program.augmented)
        images, labels = augmented(inputs, labels)
        parts = program.accumulate

        def split(x: Any) -> Any:
            # Every `parts`-th sample, so that the batch axis keeps its place when it lies on several devices.
            return jnp.swapaxes(x.reshape(x.shape[0] // parts, parts, *x.shape[1:]), 0, 1)

        def gradient(other: list, micro: tuple) -> tuple[list, tuple]:
            (loss, (other, predictions)), gradients = jax.value_and_grad(self._loss, has_aux=True)(
                values["trained"], other, *micro
            )
            return other, (gradients, loss, predictions)

        cut = split(labels)
        micros = (split(images), cut, program.shares(cut))
        if parts == 1:
            other, (gradients, loss, predictions) = gradient(values["other"], jax.tree.map(lambda x: x[0], micros))
            labels = cut[0]
        else:
            other, gradients, loss, predictions = self._accumulate(gradient, values, micros)
            labels, predictions = jnp.swapaxes(cut, 0, 1), jnp.swapaxes(predictions, 0, 1)  # rows lie on devices
        with self._scope({**values, "other": other}) as scope:
            program.update(gradients, loss, labels, predictions, rate, number)
        new = {
            group: [self._current(scope, v, x) for v, x in zip(self._variables[group], old, strict=True)]
            for group, old in {**values, "other": other}.items()
        }
        return new, loss

    @staticmethod
    def _accumulate(gradient: Any, values: Values, micros: tuple) -> tuple:
        """Return the sums over micro-batches, one after the other, so that one's activations are held at a time."""

        def body(carry: tuple, micro: tuple) -> tuple[tuple, Any]:
            other, total, loss = carry
            other, (gradients, part, predictions) = gradient(other, micro)
            return (other, jax.tree.map(jnp.add, total, gradients), loss + part), predictions

        zeros = jax.tree.map(jnp.zeros_like, values["trained"])
        start = (values["other"], zeros, jnp.zeros((), "float32"))
        (other, total, loss), predictions = jax.lax.scan(body, start, micros)
        return other, total, loss, predictions

    def _loss(self, trained: list, other: list, images: Any, labels: Any, share: Any) -> tuple[Any, tuple[list, Any]]:
        with self._scope({"trained": trained, "other": other}) as scope:
            loss, predictions = self._program.loss(images, labels, share)
        moved = [self._current(scope, v, x) for v, x in zip(self._variables["other"], other, strict=True)]
        return loss, (moved, predictions)

    @staticmethod
    def _current(scope: keras.StatelessScope, variable: keras.Variable, old: Any) -> Any:
        new = scope.get_current_value(variable)
        return old if new is None else new
