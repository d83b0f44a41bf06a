"""Which Keras backend runs: JAX unless the user has chosen one.

Imported before Keras by every package that needs Keras, so that `import desertseg` alone decides nothing. A choice is
the environment variable KERAS_BACKEND, `use_backend`, or a Keras that is already imported; the file ~/.keras/keras.json
is none, because Keras writes it by itself with "tensorflow" in it.
"""

from __future__ import annotations

import os
import sys

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
