"""Which Keras backend runs: JAX unless the user has chosen one.

Imported before Keras by every package that needs Keras, so that `import desertseg` alone decides nothing. A choice is
the environment variable KERAS_BACKEND, `use_backend`, or a Keras that is already imported; the file ~/.keras/keras.json
is none, because Keras writes it by itself with "tensorflow" in it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from desertseg.errors import UserError

BACKENDS = ("jax", "tensorflow")


def use_backend(name: str) -> None:
    """Choose the Keras backend of this process, before Keras is imported.

    Args:
        name: "jax" or "tensorflow".

    Raises:
        UserError: no such backend, or Keras already runs on another one.
    """
    if name not in BACKENDS:
        raise UserError(f"no backend '{name}'; choose one of {', '.join(BACKENDS)}")
    if "keras" in sys.modules and sys.modules["keras"].backend.backend() != name:
        running = sys.modules["keras"].backend.backend()
        raise UserError(f"Keras already runs on {running}; choose '{name}' before anything imports keras")
    os.environ["KERAS_BACKEND"] = name


def default_backend() -> str:
    """Return the backend that Keras runs on or will run on, after making JAX the default where nothing was chosen."""
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    return os.environ.setdefault("KERAS_BACKEND", "jax")


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Keep a process that runs on another backend free of TensorFlow.

    While it saves, Keras imports TensorFlow to ask whether an object is one of its types, and Keras Hub imports it for
    its text models: 6 s and a gigabyte for a no. None in `sys.modules` is Python's documented way to say that a module
    is not there.
    """
    if default_backend() == "tensorflow" or "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["tensorflow"]
