"""What a summary says, as plain numbers: shares, weights, how two data sets differ. It is what stats.json holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from desertseg.data.regions import drop_specks, middle_size
from desertseg.data.summary import GRID, Summary
from desertseg.labels import LabelMap
from desertseg.weighting import SCHEMES, class_weights

Values = dict[str, Any]


def describe_summary(summary: Summary, labels: LabelMap) -> Values:
    """Return a summary as plain values for JSON. Shares are of the pixels that are not ignored."""
    totals = summary.counts.sum(axis=0)
    present = summary.counts > 0
    return {
        "labels": labels.name,
        "label_map": labels.to_dict(),
        "frames": len(summary.frames),
        "pixels": int(totals.sum()),
        "ignored": int(summary.ignored.sum()),
        "all_ignored": [summary.frames[i].name for i in np.flatnonzero(~present.any(axis=1))],
        "sizes": [{"height": h, "width": w, "frames": n} for (h, w), n in summary.sizes.items()],
        "classes": [_describe_class(summary, c, name) for c, name in enumerate(labels.names)],
        "scenes": _describe_scenes(summary),
        "together": (present.T.astype(np.int64) @ present).tolist(),
        "weights": _weigh(summary.counts),
        "color": _describe_colors(summary.colors),
        "failures": [[str(frame.image), str(error)] for frame, error in summary.failures],
    }


def _describe_class(summary: Summary, c: int, name: str) -> Values:
    counts, regions = summary.counts[:, c], summary.regions[c]
    pixels, frames = int(counts.sum()), int((counts > 0).sum())
    labelled = summary.counts.sum(axis=1)
    visible = drop_specks(regions)
    heights = summary.positions[..., c].sum(axis=1)
    return {
        "name": name,
        "pixels": pixels,
        "share": pixels / max(1, int(summary.counts.sum())),
        "frames": frames,
        "frame_share": frames / len(summary.frames),
        "share_where_present": float((counts / np.maximum(1, labelled))[counts > 0].mean()) if frames else None,
        "regions": int(regions.sum()),
        "regions_visible": int(visible.sum()),
        "specks": int((regions - visible).sum()),
        "region_median": middle_size(visible) or None,
        "region_half_of_pixels": middle_size(regions, by_pixel=True) or None,
        "region_largest": int(summary.largest[c]) or None,
        "height": {str(q): _quantile_of_rows(heights, q / 100) for q in (10, 50, 90)} if pixels else None,
    }


def _quantile_of_rows(pixels: np.ndarray, q: float) -> float:
    """Return below which part of the picture's height, from the top, a share of the pixels lies."""
    ends = np.concatenate([[0], np.cumsum(pixels)])
    return float(np.interp(q * ends[-1], ends, np.arange(len(ends)) / GRID[0]))


def _describe_scenes(summary: Summary) -> list[Values]:
    scenes = np.array([frame.scene for frame in summary.frames])
    found = []
    for scene in np.unique(scenes):
        counts = summary.counts[scenes == scene]
        totals = counts.sum(axis=0)
        found.append(
            {
                "name": str(scene),
                "frames": len(counts),
                "pixels": int(totals.sum()),
                "shares": (totals / max(1, totals.sum())).tolist(),
                "frames_with": (counts > 0).sum(axis=0).tolist(),
            }
        )
    return found


def _weigh(counts: np.ndarray) -> dict[str, list[float]]:
    return {scheme: class_weights(counts, scheme) for scheme in SCHEMES} if counts.any() else {}


def _describe_colors(colors: np.ndarray) -> Values:
    values, pixels = np.arange(256), np.maximum(1, colors.sum(axis=1))
    means = (colors * values).sum(axis=1) / pixels
    variances = (colors * (values - means[:, None]) ** 2).sum(axis=1) / pixels
    return {"mean": means.tolist(), "std": np.sqrt(variances).tolist(), "histogram": colors.tolist()}


def compare_summaries(first: Values, second: Values) -> Values:
    """Return how the second of two described data sets, of one label map, differs from the first.

    `distance` is the total variation between the class shares: the share of pixels, 0 to 1, that would have to change
    class. `color` is the shift of the mean of red, green and blue in the first one's standard deviations.
    """
    shares = np.array([[c["share"] for c in values["classes"]] for values in (first, second)])
    names = [c["name"] for c in first["classes"]]
    color = (first["color"], second["color"])
    shift = (np.array(color[1]["mean"]) - color[0]["mean"]) / np.maximum(color[0]["std"], 1e-9)
    return {
        "distance": float(np.abs(shares[0] - shares[1]).sum() / 2),
        "color": shift.tolist(),
        "only_in_first": [n for n, a, b in zip(names, *shares, strict=True) if a and not b],
        "only_in_second": [n for n, a, b in zip(names, *shares, strict=True) if b and not a],
    }


def merge_values(described: Sequence[Mapping[str, Any]]) -> Values:
    """Return what stats.json holds of one data set, or of two and how they differ."""
    values: Values = {"data": list(described)}
    if len(described) == 2:
        values["shift"] = compare_summaries(dict(described[0]), dict(described[1]))
    return values
