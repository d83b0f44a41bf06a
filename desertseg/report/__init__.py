"""Pictures and tables from what the engine measured."""

from desertseg.report.brief import detail_lines, fold_lines
from desertseg.report.calibration import draw_reliability
from desertseg.report.comparison import draw_comparison
from desertseg.report.curves import draw_class_history, draw_curves
from desertseg.report.overlay import draw_overlay
from desertseg.report.plots import draw_class_metrics, draw_confusion, draw_per_class
from desertseg.report.tables import metrics_text, score_lines

__all__ = [
    "detail_lines",
    "draw_class_history",
    "draw_class_metrics",
    "draw_comparison",
    "draw_confusion",
    "draw_curves",
    "draw_overlay",
    "draw_per_class",
    "draw_reliability",
    "fold_lines",
    "metrics_text",
    "score_lines",
]
