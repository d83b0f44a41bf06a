"""Keeping packages from telling what they do while a file is made."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet(name: str | None = None) -> Iterator[None]:
    """Keep a package's logger to errors, and warnings away; None is what logs without a name.

    What they warn of is their own code, or what `export_model` measures: that the file answers as the model does.
    """
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
