"""Pictures and tables from what the engine and the data rooms measured.

Public names are imported when they are first used, because those that read scores need Keras and the others do not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from desertseg.report.brief import detail_lines as detail_lines
    from desertseg.report.brief import fold_lines as fold_lines
    from desertseg.report.calibration import draw_reliability as draw_reliability
    from desertseg.report.comparison import draw_comparison as draw_comparison
    from desertseg.report.curves import draw_class_history as draw_class_history
    from desertseg.report.curves import draw_curves as draw_curves
    from desertseg.report.overlay import draw_overlay as draw_overlay
    from desertseg.report.plots import draw_class_metrics as draw_class_metrics
    from desertseg.report.plots import draw_confusion as draw_confusion
    from desertseg.report.plots import draw_per_class as draw_per_class
    from desertseg.report.tables import metrics_text as metrics_text
    from desertseg.report.tables import score_lines as score_lines

_HOMES = {
    "brief": ("detail_lines", "fold_lines"),
    "calibration": ("draw_reliability",),
    "comparison": ("draw_comparison",),
    "curves": ("draw_class_history", "draw_curves"),
    "overlay": ("draw_overlay",),
    "plots": ("draw_class_metrics", "draw_confusion", "draw_per_class"),
    "tables": ("metrics_text", "score_lines"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'desertseg.report' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(f"desertseg.report.{_HOME_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
