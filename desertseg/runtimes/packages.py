"""A runtime's package, imported where it is needed; where it is missing, the extra that brings it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from desertseg.errors import UserError


def need(module: str, extra: str | None, purpose: str) -> Any:
    """Return a package's module.

    Args:
        module: to import, such as "onnxruntime".
        extra: of desertseg that installs it; None where desertseg itself does.
        purpose: what it is needed for, "an .onnx file is run".

    Raises:
        UserError: it is not installed; the message says what to install.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(module, error.name or module, extra, purpose) from error


def check_installed(module: str, extra: str | None, purpose: str) -> None:
    """Refuse, as `need` does, but without importing anything, a package that is not installed.

    Raises:
        UserError: as `need`.
    """
    package = module.split(".")[0]
    if find_spec(package) is None:
        raise _missing(module, package, extra, purpose)


def _missing(module: str, missing: str, extra: str | None, purpose: str) -> UserError:
    wanted = "desertseg" if extra is None else f"desertseg[{extra}]"
    return UserError(f"{purpose} by {module.split('.')[0]}, and there is no module '{missing}'; pip install '{wanted}'")
