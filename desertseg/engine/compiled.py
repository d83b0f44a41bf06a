"""Compiling a function that reads a model's variables, on either backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras


def compile_function(
    function: Callable[..., Any], model: keras.Model | None = None, *, deterministic: bool = False
) -> Callable[..., Any]:
    """Return `function` compiled; a call returns device arrays without waiting for them.

    The variables of `model` are arguments of the compiled program, not constants in it, so one compilation serves a
    model that goes on training. `function` takes arrays, reads the model and changes nothing.

    Args:
        function: of arrays.
        model: that the function reads, where it reads one.
        deterministic: the same bits in every run on a GPU as well, see `make_deterministic`.
    """
    if keras.backend.backend() == "jax":
        import jax

        variables = [] if model is None else model.variables

        @partial(jax.jit, compiler_options=compiler_options(deterministic))
        def run(values: list[Any], *arrays: Any) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(*arrays)

        return lambda *arrays: run([v.value for v in variables], *arrays)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    return function


def device_name() -> str:
    """Return the device that the backend computes on, such as "cpu" or "NVIDIA H200"."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu") if gpus else "cpu"


def compiler_options(deterministic: bool) -> dict[str, Any] | None:
    """Return what JAX is to compile with for the same bits in every run; only a GPU's compiler has to be asked."""
    import jax

    return {"xla_gpu_deterministic_ops": True} if deterministic and jax.default_backend() == "gpu" else None


def make_deterministic(always: bool) -> None:
    """Have TensorFlow compute the same bits in every run, on a CPU, and on a GPU if `always`, where it costs time.

    XLA, which computes for JAX, does so on a CPU; on a GPU a training's programs are compiled with `compiler_options`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if always or not tf.config.list_physical_devices("GPU"):
            tf.config.experimental.enable_op_determinism()


def device_memory() -> int | None:
    """Return the bytes in use on the device, None where the backend does not say, as on a CPU."""
    if keras.backend.backend() != "jax":
        return None
    import jax

    statistics = jax.local_devices()[0].memory_stats()
    return statistics.get("bytes_in_use") if statistics else None
