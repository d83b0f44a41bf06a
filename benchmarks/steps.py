"""The compiled steps that several benchmarks time: our networks on both backends, and PyTorch's."""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from desertseg.memory import keep_freed_memory

NUM_CLASSES = 10
MODES = ("train", "infer")


def make_batch(arguments: argparse.Namespace) -> tuple[Any, Any]:
    import numpy as np

    generator = np.random.default_rng(0)
    shape = (arguments.batch, *(int(n) for n in arguments.size.split("x")))
    images = generator.integers(0, 256, (*shape, 3), dtype=np.uint8)
    return images, generator.integers(0, NUM_CLASSES, shape, dtype=np.uint8)


def import_keras(backend: str, keep: bool = True) -> None:
    """Import what `prepare_keras` needs, before its memory is measured, and start the backend.

    Args:
        backend: as the environment has it.
        keep: with `keep_freed_memory`, as a user of the package has it.
    """
    if keep:
        keep_freed_memory()
    import keras

    import desertseg.models  # noqa: F401

    assert keras.backend.backend() == backend
    keras.ops.zeros(1)


def prepare_keras(
    build: Callable[[], Any], arguments: argparse.Namespace, modes: Sequence[str] = MODES, *, fast: bool = True
) -> tuple[dict[str, Callable], dict]:
    """Return the steps of a segmenter by mode, compiled, and what is known of them.

    Args:
        build: returns the segmenter.
        arguments: --batch, --size, --dtype.
        modes: "train", "infer" or both.
        fast: with our layers' own forms; else with the plain Keras operations.
    """
    from contextlib import nullcontext

    import keras

    from desertseg.layers import plain_forms

    if arguments.dtype == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    random.seed(0)  # as `fit` does: `keras.utils.set_random_seed` would import TensorFlow
    model = build()
    if "train" in modes:
        model.optimizer = keras.optimizers.AdamW(1e-4)
        model.optimizer.build(model.trainable_variables)
    prepare = prepare_jax if keras.backend.backend() == "jax" else prepare_tensorflow
    with nullcontext() if fast else plain_forms():
        run, info = prepare(model, make_batch(arguments), modes)
    return run, {"parameters": sum(math.prod(w.shape) for w in model.trainable_weights), **info}


def prepare_jax(model: Any, batch: tuple[Any, Any], modes: Sequence[str]) -> tuple[dict[str, Callable], dict]:
    import jax
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def compute_loss(trainable, other, images, labels):
        logits, other = model.stateless_call(trainable, other, images, training=True)
        return loss(labels, logits), other

    def train(state, images, labels):
        trainable, other, optimizer = state
        (value, other), gradients = jax.value_and_grad(compute_loss, has_aux=True)(trainable, other, images, labels)
        trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)
        return (trainable, other, optimizer), value

    # Not copied: the first training step takes the model's own arrays, which nobody reads again.
    optimizer = model.optimizer.variables if "train" in modes else []
    variables = (model.trainable_variables, model.non_trainable_variables, optimizer)
    state = jax.tree.map(lambda v: v.value, variables)
    images, labels = jax.device_put(batch)
    infer = jax.jit(lambda state, images: model.stateless_call(state[0], state[1], images, training=False)[0])
    lowered = {}
    if "train" in modes:
        lowered["train"] = jax.jit(train, donate_argnums=0).lower(state, images, labels)
    if "infer" in modes:
        lowered["infer"] = infer.lower(state, images)
    compiled = {mode: program.compile() for mode, program in lowered.items()}

    def run_train():
        nonlocal state
        state, value = compiled["train"](state, images, labels)
        value.block_until_ready()

    info = {f"{mode}_flops": program.cost_analysis()["flops"] for mode, program in lowered.items()}
    for mode, program in compiled.items():
        memory = program.memory_analysis()
        info[f"{mode}_temporary"] = memory.temp_size_in_bytes
        both = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
        info[f"{mode}_needs"] = both + memory.temp_size_in_bytes
    run = {"train": run_train, "infer": lambda: compiled["infer"](state, images).block_until_ready()}
    return {mode: run[mode] for mode in modes}, info


def prepare_tensorflow(model: Any, batch: tuple[Any, Any], modes: Sequence[str]) -> tuple[dict[str, Callable], dict]:
    import keras
    import tensorflow as tf

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    images, labels = (tf.constant(array) for array in batch)

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        model.optimizer.apply(tape.gradient(value, model.trainable_variables))
        return value

    infer = tf.function(lambda: model(images, training=False))
    run = {"train": lambda: train().numpy(), "infer": lambda: infer().numpy()}
    return {mode: run[mode] for mode in modes}, {}


def prepare_torch(
    build: Callable[[], Any], arguments: argparse.Namespace, modes: Sequence[str] = MODES, *, channels_last: bool = True
) -> tuple[dict[str, Callable], dict]:
    """Return PyTorch's steps by mode; on a GPU compiled.

    Args:
        build: returns a module from normalised images (B, 3, H, W) to logits (B, C, H, W).
        arguments: --batch, --size, --dtype, --threads, --device.
        modes: "train", "infer" or both.
        channels_last: memory layout; PyTorch's convolutions are faster in it.
    """
    import torch

    torch.set_num_threads(arguments.threads)
    device = "cuda" if arguments.device == "gpu" else "cpu"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images, labels = make_batch(arguments)
    model = build().to(device, memory_format=layout)
    x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div(255).contiguous(memory_format=layout)
    y = torch.from_numpy(labels).to(device).long()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, 1e-4, fused=device == "cuda")
    forward = torch.compile(model) if device == "cuda" else model
    autocast = torch.autocast(device, torch.bfloat16, enabled=arguments.dtype == "bfloat16")

    def train():
        model.train()
        with autocast:
            value = torch.nn.functional.cross_entropy(forward(x).float(), y)
        value.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        value.item()

    def infer():
        model.eval()
        with torch.inference_mode(), autocast:
            forward(x)[0, 0, 0, 0].item()

    run = {"train": train, "infer": infer}
    return {mode: run[mode] for mode in modes}, {"parameters": sum(p.numel() for p in model.parameters())}


def device_peak(backend: str, step: Callable[[], object], device: str = "GPU") -> int | None:
    """Return the bytes that a step takes at most by the framework's own count; None on JAX, where `info` has them.

    On a GPU that is all which is allocated then, on TensorFlow's "CPU" what is above the state before the step.
    """
    if backend == "torch":
        import torch

        torch.cuda.reset_peak_memory_stats()
        step()
        return torch.cuda.max_memory_allocated()
    if backend == "tensorflow":
        import tensorflow as tf

        name = f"{device}:0"
        tf.config.experimental.reset_memory_stats(name)
        before = tf.config.experimental.get_memory_info(name)["current"] if device == "CPU" else 0
        step()
        return tf.config.experimental.get_memory_info(name)["peak"] - before
    return None
