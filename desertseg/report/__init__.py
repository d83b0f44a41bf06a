"""Pictures and tables from what the engine measured."""

from desertseg.report.curves import draw_class_history, draw_curves
from desertseg.report.overlay import draw_overlay
from desertseg.report.plots import draw_confusion, draw_per_class
from desertseg.report.tables import score_lines

__all__ = ["draw_class_history", "draw_confusion", "draw_curves", "draw_overlay", "draw_per_class", "score_lines"]
