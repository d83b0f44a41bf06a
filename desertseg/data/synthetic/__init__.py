"""Procedural deserts in Falcon's exact layout and format: data for demo, tests and domain shift."""

from desertseg.data.synthetic.domains import DOMAINS, Domain, Style
from desertseg.data.synthetic.frame import VERSION, SyntheticError, draw_frame
from desertseg.data.synthetic.write import SPLIT_STARTS, Summary, write_dataset

__all__ = [
    "DOMAINS",
    "SPLIT_STARTS",
    "VERSION",
    "Domain",
    "Style",
    "Summary",
    "SyntheticError",
    "draw_frame",
    "write_dataset",
]
