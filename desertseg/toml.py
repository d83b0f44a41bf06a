"""TOML: reading it so that whatever is wrong is said in one line, and quoting for those who write it by hand."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from desertseg.errors import UserError


class TomlError(UserError):
    """A text that is no TOML; the message says what and where, but not in which file."""


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises:
        TomlError: it is none.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise TomlError("it is nested too deeply") from error
    except ValueError as error:  # a TOMLDecodeError, or Python's own of a number with thousands of digits
        raise TomlError(str(error)) from error


def read_toml(path: Path | Traversable) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        TomlError: it cannot be read, or is none.
    """
    return parse_toml(read_text(path))


def read_text(path: Path | Traversable) -> str:
    """Return the text of a file.

    Raises:
        TomlError: it cannot be read, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TomlError(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise TomlError(f"its byte {error.start:,} is not UTF-8 text") from error
    except ValueError as error:  # a path with a zero byte in it
        raise TomlError(str(error)) from error


def quote(text: str) -> str:
    """Return text as a TOML string; JSON's are such."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def quote_key(text: str) -> str:
    """Return text as a TOML key, bare where it can be."""
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else quote(text)
