"""The backend as it works here: its devices, and how many images a second go through one convolution."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from keras import ops

from desertseg.engine.compiled import compile_function

CHANNELS, SIZE, BATCH = 64, 128, 4
_GROUP_SECONDS = 0.1  # calls are queued until they take so long together
_OPERATIONS = 2 * 9 * CHANNELS**2 * SIZE**2  # of one image; a multiply-add counts as two


def describe_backend() -> dict[str, Any]:
    """Return the backend, its devices with their memory in bytes where it is known, and why there is no GPU."""
    name = keras.backend.backend()
    return {
        "backend": name,
        "precision": keras.mixed_precision.dtype_policy().name,
        **(_describe_jax() if name == "jax" else _describe_tensorflow()),
    }


def time_convolution(seconds: float = 1.0) -> dict[str, Any]:
    """Return how fast a 3x3 convolution of 64 to 64 channels is, at 128x128 in float32.

    Args:
        seconds: for how long it is repeated, after it has been compiled.
    """
    model = keras.Sequential([keras.Input((SIZE, SIZE, CHANNELS)), keras.layers.Conv2D(CHANNELS, 3, padding="same")])
    run = compile_function(lambda images: ops.sum(model(images)), model)
    images = ops.convert_to_tensor(np.random.default_rng(0).random((BATCH, SIZE, SIZE, CHANNELS), np.float32))
    started = time.perf_counter()
    float(run(images))
    compiled = time.perf_counter() - started
    group, calls, spent = 1, 0, 0.0
    while spent < seconds:
        started = time.perf_counter()
        for _ in range(group - 1):
            run(images)
        float(run(images))  # waits for those before it too
        took = time.perf_counter() - started
        calls, spent = calls + group, spent + took
        group = group * 2 if took < _GROUP_SECONDS else group
    rate = calls * BATCH / spent
    return {
        "what": f"3x3 convolution, {CHANNELS} to {CHANNELS} channels, {BATCH} images of {SIZE}x{SIZE}, float32",
        "images_per_second": rate,
        "gflops_per_second": rate * _OPERATIONS / 1e9,
        "compile_seconds": compiled,
    }


def _describe_jax() -> dict[str, Any]:
    import jax

    devices = []
    for device in jax.local_devices():
        statistics = device.memory_stats() or {}
        devices.append({"name": device.device_kind, "kind": device.platform, "memory": statistics.get("bytes_limit")})
    reason = None
    if jax.default_backend() == "cpu":
        try:
            jax.devices("gpu")
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
    return {"devices": devices, "no_gpu": reason}


def _describe_tensorflow() -> dict[str, Any]:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "gpu") for gpu in gpus]
    devices = [{"name": name, "kind": "gpu", "memory": None} for name in names]
    build = tf.sysconfig.get_build_info()
    reason = None
    if not gpus:
        cuda = build.get("cuda_version")
        reason = f"TensorFlow was built for CUDA {cuda} and finds no GPU for it" if cuda else "TensorFlow has no CUDA"
    return {"devices": devices or [{"name": "cpu", "kind": "cpu", "memory": None}], "no_gpu": reason}
