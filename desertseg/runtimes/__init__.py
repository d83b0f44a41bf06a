"""Exported models, run by the runtime that each was made for. NumPy and one runtime; neither Keras nor a backend."""

from desertseg.runtimes.exported import Exported, SelfTest, is_exported, load_exported
from desertseg.runtimes.facts import Facts, pack_pair
from desertseg.runtimes.formats import FORMATS, Format, find_format
from desertseg.runtimes.packages import check_installed, need

__all__ = [
    "FORMATS",
    "Exported",
    "Facts",
    "Format",
    "SelfTest",
    "check_installed",
    "find_format",
    "is_exported",
    "load_exported",
    "need",
    "pack_pair",
]
