"""A frame, its truth, its prediction and where they differ, in one picture."""

from __future__ import annotations

import cv2
import numpy as np

from desertseg.labels import IGNORE_INDEX, LabelMap
from desertseg.report.lettering import Color, draw_line_key, new_paper, write

_WRONG, _UNANSWERED = (230, 30, 30), (250, 200, 40)
_WIDEST = 960  # pixels of one panel: four of a large photograph would be a picture that nobody can open
_SMALLEST = 240  # and below this its title does not fit
_OPACITY = 0.75


def draw_comparison(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray, label_map: LabelMap) -> np.ndarray:
    """Return uint8 (H', W', 3) RGB: frame, truth, prediction and errors, titled, with a legend of the classes below.

    Two by two for frames that are wider than high, else side by side. In the last panel a pixel that is wrong is red,
    one without an answer yellow, one that the truth ignores black; the title gives their share of the pixels with a
    truth. The legend gives each class's IoU in this frame.

    Args:
        image: uint8 (H, W, 3) RGB.
        truth: uint8 (H, W), 255 = ignore.
        prediction: uint8 (H, W), 255 = unknown.
        label_map: gives colours and names.
    """
    valid = truth != IGNORE_INDEX
    total = max(1, int(valid.sum()))
    wrong = 100 * int((valid & (prediction != truth)).sum()) / total
    silent = 100 * int((valid & (prediction == IGNORE_INDEX)).sum()) / total
    errors = f"errors: {wrong:.1f} % of the pixels" + (f", {silent:.1f} % without an answer" if silent else "")
    panels = [
        ("frame", image),
        ("truth", _lay(image, truth, label_map)),
        ("prediction", _lay(image, prediction, label_map)),
        (errors, _draw_errors(image, truth, prediction)),
    ]
    size = _panel_size(*truth.shape)
    drawn = [_draw_panel(title, picture, size) for title, picture in panels]
    rows = [drawn[:2], drawn[2:]] if size[1] > size[0] else [drawn]
    picture = np.vstack([np.hstack(row) for row in rows])
    legend = draw_line_key(_list_entries(truth, prediction, label_map), picture.shape[1], _text_size(size[1]))
    return np.vstack([picture, legend])


def _panel_size(height: int, width: int) -> tuple[int, int]:
    drawn = min(max(width, _SMALLEST), _WIDEST)
    return max(1, round(height * drawn / width)), drawn


def _text_size(width: int) -> float:
    return 0.42 + 0.3 * (width - _SMALLEST) / (_WIDEST - _SMALLEST)


def _lay(image: np.ndarray, labels: np.ndarray, label_map: LabelMap) -> np.ndarray:
    """The classes' colours with a little of the frame, so that its shapes can be found; unknown is black."""
    laid = cv2.addWeighted(image, 1 - _OPACITY, label_map.colorize(labels), _OPACITY, 0)
    laid[labels == IGNORE_INDEX] = 0
    return laid


def _draw_errors(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    errors = cv2.cvtColor((grey // 2 + 90).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    silent = prediction == IGNORE_INDEX
    errors[(prediction != truth) & ~silent] = _WRONG
    errors[silent] = errors[silent] // 3 + np.array(_UNANSWERED, np.uint8) // 3 * 2  # its shapes still show
    errors[truth == IGNORE_INDEX] = 0
    return errors


def _draw_panel(title: str, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture under its title, with a margin; a shrunken picture is averaged, but for labels that is only looks."""
    height, width = size
    scale = _text_size(width)
    bar, gap = round(44 * scale), max(4, width // 120)
    panel = new_paper(bar + height + gap, width + 2 * gap)
    method = cv2.INTER_AREA if picture.shape[1] > width else cv2.INTER_NEAREST
    panel[bar : bar + height, gap : gap + width] = cv2.resize(picture, (width, height), interpolation=method)
    write(panel, title, (gap, round(bar * 0.68)), scale)
    return panel


def _list_entries(truth: np.ndarray, prediction: np.ndarray, label_map: LabelMap) -> list[tuple[str, Color]]:
    """Each class in the truth or the prediction with its IoU in this frame, most frequent first; then the rest."""
    valid = truth != IGNORE_INDEX
    classes = label_map.num_classes
    expected = np.bincount(truth[valid], minlength=256)[:classes]
    given = np.bincount(prediction[valid], minlength=256)
    hits = np.bincount(truth[valid & (truth == prediction)], minlength=256)[:classes]
    union = expected + given[:classes] - hits
    entries = []
    for index in np.argsort(-expected, kind="stable"):
        if union[index]:
            iou = f"IoU {hits[index] / union[index]:.2f}" if expected[index] else "not in the truth"
            entries.append((f"{label_map.names[index]}: {iou}", label_map.classes[index].color))
    entries.append(("wrong", _WRONG))
    if given[IGNORE_INDEX]:
        entries.append(("no answer", _UNANSWERED))
    if not valid.all():
        entries.append(("ignored", (0, 0, 0)))
    return entries
