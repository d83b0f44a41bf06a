"""desertseg labels every pixel of an off-road desert frame."""

__version__ = "0.1.0"
