"""The compiled steps that `train_step.py` times: our networks on both backends, and PyTorch's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

NUM_CLASSES = 10


def make_batch(arguments: argparse.Namespace) -> tuple[Any, Any]:
    import numpy as np

    generator = np.random.default_rng(0)
    shape = (arguments.batch, *(int(n) for n in arguments.size.split("x")))
    images = generator.integers(0, 256, (*shape, 3), dtype=np.uint8)
    return images, generator.integers(0, NUM_CLASSES, shape, dtype=np.uint8)


def prepare_keras(arguments: argparse.Namespace, backend: str, fast: bool) -> tuple[dict[str, Callable], dict]:
    from contextlib import nullcontext

    if fast:
        from desertseg.memory import keep_freed_memory

        keep_freed_memory()
    import keras

    from desertseg.layers import plain_forms
    from desertseg.models import build_segmenter

    if arguments.dtype == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(0)
    model = build_segmenter(backbone=arguments.backbone)
    model.optimizer = keras.optimizers.AdamW(1e-4)
    model.optimizer.build(model.trainable_variables)
    with nullcontext() if fast else plain_forms():
        return (prepare_jax if backend == "jax" else prepare_tensorflow)(model, make_batch(arguments))


def prepare_jax(model: Any, batch: tuple[Any, Any]) -> tuple[dict[str, Callable], dict]:
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

    variables = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
    state = jax.tree.map(lambda v: jax.numpy.array(v.value), variables)
    images, labels = jax.device_put(batch)
    infer = jax.jit(lambda state, images: model.stateless_call(state[0], state[1], images, training=False)[0])
    lowered = {
        "train": jax.jit(train, donate_argnums=0).lower(state, images, labels),
        "infer": infer.lower(state, images),
    }
    compiled = {mode: program.compile() for mode, program in lowered.items()}

    def run_train():
        nonlocal state
        state, value = compiled["train"](state, images, labels)
        value.block_until_ready()

    info = {f"{mode}_flops": program.cost_analysis()["flops"] for mode, program in lowered.items()}
    return {"train": run_train, "infer": lambda: compiled["infer"](state, images).block_until_ready()}, info


def prepare_tensorflow(model: Any, batch: tuple[Any, Any]) -> tuple[dict[str, Callable], dict]:
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
    train(), infer()
    return {"train": lambda: train().numpy(), "infer": lambda: infer().numpy()}, {}


def prepare_torch(arguments: argparse.Namespace) -> tuple[dict[str, Callable], dict]:
    import torch

    declare_torchvision_operators(torch)
    torch.set_num_threads(arguments.threads)
    device = "cuda" if arguments.device == "gpu" else "cpu"
    images, labels = make_batch(arguments)
    model = build_torch(arguments.backbone).to(device, memory_format=torch.channels_last)
    x = (
        torch.from_numpy(images)
        .to(device)
        .permute(0, 3, 1, 2)
        .float()
        .div(255)
        .contiguous(memory_format=torch.channels_last)
    )
    y = torch.from_numpy(labels).to(device).long()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, fused=device == "cuda")
    forward = torch.compile(model) if device == "cuda" else model
    autocast = torch.autocast(device, torch.bfloat16, enabled=arguments.dtype == "bfloat16")

    def train():
        model.train()
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            value = torch.nn.functional.cross_entropy(forward(x).float(), y)
        value.backward()
        optimizer.step()
        value.item()

    def infer():
        model.eval()
        with torch.inference_mode(), autocast:
            forward(x)[0, 0, 0, 0].item()

    return {"train": train, "infer": infer}, {}


def build_torch(backbone: str) -> Any:
    """Return segmentation_models.pytorch's DeepLabV3+ changed to the decoder of our `DeepLabV3Plus`."""
    import segmentation_models_pytorch as smp
    from segmentation_models_pytorch.decoders.deeplabv3.decoder import SeparableConv2d
    from torch import nn

    model = smp.DeepLabV3Plus(
        backbone, encoder_weights=None, classes=NUM_CLASSES, decoder_atrous_rates=(6, 12, 18), decoder_aspp_dropout=0.0
    )
    decoder = model.decoder
    decoder.aspp = decoder.aspp[0]
    decoder.up = nn.Upsample(scale_factor=4, mode="bilinear")
    second = (SeparableConv2d(256, 256, 3, padding=1, bias=False), nn.BatchNorm2d(256), nn.ReLU())
    decoder.block2 = nn.Sequential(*decoder.block2, *second)
    model.segmentation_head[1] = nn.Upsample(scale_factor=4, mode="bilinear")
    return model


def declare_torchvision_operators(torch: Any) -> None:
    """Declare two operators without which torchvision does not import on a CPU build of PyTorch."""
    try:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        return  # a torchvision with its own operators was imported before
    globals()["_library"] = library  # the declaration lives as long as the object
