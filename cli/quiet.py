"""Importing the engine without TensorFlow's banner, which it writes past Python and past its own log level."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_BANNER = (
    "port.cc",
    "cudart_stub.cc",
    "cuda_platform.cc",
    "cpu_feature_guard.cc",
    "absl::InitializeLog",
    "To enable the following",
)


@contextmanager
def without_banner() -> Iterator[None]:
    """Hold back what is written to standard error, and then write all but the banner's lines."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
            if "tensorflow" in sys.modules:
                sys.modules["tensorflow"].config.list_physical_devices()  # so that it speaks of a missing driver now
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines():
                if not any(mark in line for mark in _BANNER):
                    print(line, file=sys.stderr)
