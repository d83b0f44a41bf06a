"""The layouts of data sets as they are downloaded: each module knows one; `recognise` tells which a folder has."""

from desertseg.data.layouts.find import recognise
from desertseg.data.layouts.layout import SPLITS, WHOLE, Files, Layout, Part

__all__ = ["SPLITS", "WHOLE", "Files", "Layout", "Part", "recognise"]
