"""What a user gives to the page: a frame, perhaps its truth, and how it is to be answered."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

from desertseg.data import png
from desertseg.data.read import PILLOW_FAILS
from desertseg.errors import UserError

MOST_PIXELS = 150_000_000  # of a frame: 12,000x9,000 is 108 million, and takes 3 GB to answer
SIDES = 32, 2048  # of what the network may see; what lies beyond would take the machine's memory
_HEAD = 1 << 16
_WARNINGS = threading.Lock()  # the filters of warnings are one for all threads


@dataclass(frozen=True)
class Given:
    """A frame to answer.

    Attributes:
        image: its file.
        name: what the page calls it; the file's own name is that of an upload, or of a temporary file.
        mask: the file of its truth, raw ids, or None.
        mask_name: what the page calls that.
        origin: where it comes from, for the case's report.
    """

    image: Path
    name: str
    mask: Path | None = None
    mask_name: str = ""
    origin: str = "dropped on the page"

    @property
    def stem(self) -> str:
        """The name as files that are made of it carry it."""
        return Path(self.name).stem or "frame"

    def call(self, error: UserError) -> str:
        """Return what an error says, with the names that the user knows in place of the paths of uploads."""
        text = str(error).replace(str(self.image), self.name)
        return text.replace(str(self.mask), self.mask_name or "of the truth") if self.mask else text


@dataclass(frozen=True)
class Options:
    """How a frame is answered.

    Attributes:
        tta: average over the views of the model's recipe, as `evaluate` does.
        suppress: names of classes that are never predicted.
        confidence: pixels whose class is less probable are unknown; None for none.
        size: (height, width) that the network sees; None for the training size.
    """

    tta: bool = False
    suppress: tuple[str, ...] = ()
    confidence: float | None = None
    size: tuple[int, int] | None = None


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Return (height, width) of "192x320", None of nothing.

    Raises:
        UserError: another text, or sides that no network should be given.
    """
    if not (text or "").strip():
        return None
    parts = str(text).strip().lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UserError(f"'{text}' is no size; write HEIGHTxWIDTH, such as 192x320, or leave it empty")
    height, width = (int(part) for part in parts)
    if not all(SIDES[0] <= side <= SIDES[1] for side in (height, width)):
        raise UserError(
            f"size {height}x{width} is out of range; both sides lie between {SIDES[0]} and {SIDES[1]} pixels"
        )
    return height, width


def check_pixels(path: Path, name: str) -> None:
    """Refuse an image that would unfold to more pixels than can be answered, by its header alone.

    A file whose header says nothing is left to the reader, which says what is wrong with it.

    Raises:
        UserError: the message says how many pixels there are.
    """
    size = _claimed_size(path)
    if size is None:
        return
    height, width = size
    if height * width > MOST_PIXELS:
        raise UserError(
            f"image {name} claims {width:,}x{height:,} pixels; the page takes up to {MOST_PIXELS // 10**6} million, "
            "so reduce it, or cut it into tiles"
        )


def _claimed_size(path: Path) -> tuple[int, int] | None:
    """Return (height, width) by a file's header; None where it says none."""
    from PIL import Image  # a tenth of a second, which only the page pays

    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    if head.startswith(png.SIGNATURE):
        header = png.read_header(head) if png.is_possible(head) else None
        return (header.height, header.width) if header else None
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                return image.height, image.width
        except Image.DecompressionBombError:
            return MOST_PIXELS, MOST_PIXELS
        except PILLOW_FAILS:
            return None
