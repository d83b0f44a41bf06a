"""A report as one HTML file that needs nothing beside it: pictures inside, no script, nothing fetched."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import resources
from typing import Any

import cv2
import jinja2
import numpy as np

from desertseg.report.document import Bar, Block, Document, Picture

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
_WIDEST = 1600  # pixels; a wider picture is shown smaller anyway
_IN_GALLERY = 960  # of these there are dozens, and the whole ones lie in the folder
_QUALITY = 80
_AT_ONCE = 4  # pictures of a gallery that are not folded away
_CALM, _ALARM = "31, 95, 139", "196, 72, 36"


def render_page(document: Document) -> str:
    """Return a report as HTML.

    Raises:
        OSError: a picture cannot be read.
    """
    template = _environment().get_template("report.html.j2")
    return template.render(document=document, style=_read_template("report.css"))


def render_blocks(blocks: Sequence[Block]) -> str:
    """Return blocks of a report as a piece of HTML, to stand on a page of its own.

    Raises:
        OSError: a picture cannot be read.
    """
    blocks_template: Any = _environment().get_template("blocks.html.j2").module
    return "".join(blocks_template.show(block) for block in blocks)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read_template),
        autoescape=True,  # names of classes, files and folders come from outside
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"embed": _embed, "rgb": _rgb}
    environment.globals |= {
        "draw_bar": _draw_bar,
        "shade": _shade,
        "at_once": _AT_ONCE,
        "in_gallery": _IN_GALLERY,
        "widest": _WIDEST,
    }
    return environment


def _read_template(name: str) -> str:
    return (resources.files("desertseg.report") / "templates" / name).read_text(encoding="utf-8")


def _embed(picture: Picture, widest: int = _WIDEST) -> dict[str, Any]:
    """Return a picture as a data URI with its width and height, which keep the page from jumping."""
    content, kind = picture.path.read_bytes(), _TYPES.get(picture.path.suffix.lower())
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if pixels is None:
        raise OSError(f"{picture.path} is no picture")
    height, width = pixels.shape[:2]
    if width > widest or kind is None:
        scale = min(1.0, widest / width)
        width, height = round(width * scale), max(1, round(height * scale))
        smaller = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        encoded = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        content, kind = encoded.tobytes(), "image/jpeg"
    return {"uri": f"data:{kind};base64,{base64.b64encode(content).decode()}", "width": width, "height": height}


def _rgb(color: tuple[int, int, int]) -> str:
    return "rgb({:d}, {:d}, {:d})".format(*color)


def _shade(heat: float, alarm: bool) -> str:
    """Return the background of a cell, light enough for dark ink at its darkest."""
    return f"background: rgba({_ALARM if alarm else _CALM}, {0.62 * min(1.0, max(0.0, heat)):.3f})"


def _draw_bar(bar: Bar) -> dict[str, float | str | None]:
    """Return a bar's geometry in per cent of its width."""
    found = {"value": bar.value, "low": bar.low, "high": bar.high}
    place = {key: None if v is None else round(100 * min(1.0, max(0.0, v)), 2) for key, v in found.items()}
    return {**place, "fill": _rgb(bar.color)}
