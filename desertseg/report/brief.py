"""What an evaluation found beside the means, a line each, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_GAP = "   "
_NAMED = 8  # classes, before the others are counted
_NARROWEST = 30  # characters below which folding is worse than running over


def detail_lines(details: Mapping[str, Any]) -> list[str]:
    """Return a line each for borders, calibration, safety and other priors, of what there is.

    Args:
        details: what evaluation.json holds.
    """
    lines = [
        *_mapping(details.get("mapping")),
        *_boundary(details["boundary"]),
        *_calibration(details["calibration"]),
        *_safety(details["safety"]),
    ]
    for row in details["handling"] or []:
        value = f"{row['miou']:.4f} mIoU, {100 * row['pixel_accuracy']:.1f} % of pixels"
        lines.append(f"{'priors: ' + row['name']:<22} {value}   {row['note']}")
    return lines


def _boundary(boundary: Mapping[str, Any] | None) -> list[str]:
    if boundary is None:
        return []
    near, far = (str(d) for d in boundary["tolerances"])
    rows = (("boundary IoU", "iou", "within {} pixels of an outline"), ("boundary F", "f", "contours within {} pixels"))
    return [
        f"{name:<22} {_show(boundary[key][near]['mean'])}, {_show(boundary[key][far]['mean'])}   "
        + what.format(f"{near} and {far}")
        for name, key, what in rows
    ]


def _calibration(calibration: Mapping[str, Any] | None) -> list[str]:
    if calibration is None or calibration["ece"] is None:
        return []
    temperature = calibration["temperature"]
    judged = ""
    if temperature is not None:
        sure = "too sure" if temperature > 1 else "not sure enough"
        judged = f"; {sure}, temperature {temperature:.2f} would leave {calibration['ece_scaled']:.4f}"
    return [f"{'calibration error':<22} {calibration['ece']:.4f}   confidence against accuracy{judged}"]


def _safety(safety: Mapping[str, Any] | None) -> list[str]:
    if safety is None or safety["false_safe_rate"] is None:
        return []
    alarm = safety["false_alarm_rate"]
    alarms = "" if alarm is None else f"; {100 * alarm:.1f} % of the drivable ones an obstacle"
    return [f"{'false-safe rate':<22} {safety['false_safe_rate']:.4f}   of obstacle pixels called drivable{alarms}"]


def _mapping(mapping: Mapping[str, Any] | None) -> list[str]:
    return [f"{'correspondence':<22} {describe_mapping(mapping)}"] if mapping else []


def describe_mapping(mapping: Mapping[str, Any]) -> str:
    """Return in a sentence or two what a correspondence leaves out, as evaluation.json holds it."""
    text = f"{mapping['from']} -> {mapping['to']}"
    left_out = {name: pixels for name, pixels in mapping["left_out"].items() if pixels}
    if left_out:
        names = _enumerate(sorted(left_out, key=lambda name: -left_out[name]))
        text += f"; no counterpart, so {100 * mapping['left_out_share']:.1f} % of the pixels are not scored: {names}"
    if mapping["unanswered"]:
        text += f"; always a miss where answered: {_enumerate(mapping['unanswered'])}"
    return text


def _enumerate(names: Sequence[str]) -> str:
    shown = [*names[:_NAMED], *([f"{len(names) - _NAMED} more"] if len(names) > _NAMED else [])]
    return ", ".join(shown)


def _show(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"


def fold_lines(lines: Iterable[str], width: int) -> list[str]:
    """Return lines of at most `width` characters where they can be: what runs over goes on below its own column.

    A column begins after the last gap of three spaces; what has none goes on at the left.
    """
    folded: list[str] = []
    for line in lines:
        column = line.rfind(_GAP) + len(_GAP) if _GAP in line else 0
        room = width - column
        if len(line) <= width or room < _NARROWEST:
            folded.append(line)
            continue
        first, *rest = textwrap.wrap(line[column:], room, break_long_words=False, break_on_hyphens=False)
        folded += [line[:column] + first, *(" " * column + part for part in rest)]
    return folded
