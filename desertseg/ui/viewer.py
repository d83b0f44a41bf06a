"""What the viewer in the browser is given of one answer or two: plain values, and pictures inside of them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from desertseg.ui.answer import Answer

TEMPLATE = '<div class="viewer" aria-live="polite"></div>'


def read_static(name: str) -> str:
    """Return a file that the page is made of."""
    return (resources.files("desertseg.ui") / "static" / name).read_text(encoding="utf-8")


def describe(answers: Sequence[Answer], frame: str = "") -> dict[str, Any]:
    """Return what `viewer.js` draws: a pane for each answer.

    Args:
        answers: of one frame.
        frame: its name, where no model could answer it; nothing where there is none.
    """
    if not answers:
        return {"frame": frame, "panes": []}
    return {"frame": answers[0].given.name, "panes": [_describe(answer) for answer in answers]}


def _describe(answer: Answer) -> dict[str, Any]:
    layers, (height, width) = answer.layers, answer.native_size
    present = answer.score.scores.present if answer.score else [False] * answer.labels.num_classes
    classes = [
        {
            "name": cls.name,
            "color": list(cls.color),
            "cost": cls.cost,
            "share": float(answer.shares[index]),
            "in_truth": bool(present[index]),
        }
        for index, cls in enumerate(answer.labels.classes)
    ]
    reduced = "" if layers.size == answer.native_size else f", shown at {layers.size[1]}x{layers.size[0]}"
    return {
        "title": answer.model,
        "note": f"{answer.given.name}, {width}x{height}{reduced}",
        "width": layers.size[1],
        "height": layers.size[0],
        "frame": layers.frame,
        "maps": layers.classes,
        "sureness": layers.sureness,
        "truth": layers.has_truth,
        "knows": layers.has_sureness,
        "unknown": answer.unknown,
        "classes": classes,
    }
