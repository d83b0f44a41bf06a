"""Which form a layer computes in: the one that XLA runs fast, or the plain Keras operation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras

_PLAIN: ContextVar[bool] = ContextVar("plain", default=False)
_SINGLE: ContextVar[bool] = ContextVar("single", default=False)


def uses_fast_form() -> bool:
    """Return whether layers take the form made for XLA: on JAX, outside `plain_forms`."""
    return keras.backend.backend() == "jax" and not _PLAIN.get()


@contextmanager
def plain_forms() -> Iterator[None]:
    """Let layers that are traced inside compute with the plain Keras operation: the reference of tests and timings."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def uses_single_form() -> bool:
    """Return whether layers take the form of one operation: on TensorFlow, inside `single_forms`."""
    return keras.backend.backend() == "tensorflow" and _SINGLE.get()


@contextmanager
def single_forms() -> Iterator[None]:
    """Let layers that are traced inside be one operation of TensorFlow each, which it may be unable to run itself."""
    token = _SINGLE.set(True)
    try:
        yield
    finally:
        _SINGLE.reset(token)
