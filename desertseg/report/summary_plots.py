"""What is in a data set, or in two side by side, as PNG: shares, places, regions, colours, scenes, company."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.report.figure import GREY, new_figure, tidy

Values = Mapping[str, Any]
SHARES, PLACES, REGIONS = "shares.png", "places.png", "regions.png"
COLORS, SCENES, TOGETHER = "colors.png", "scenes.png", "together.png"
_DPI = 110
_MOST_SCENES = 40
_ANNOTATED = 16  # classes up to which a table's numbers stand in its cells
_STEPS = 2  # columns of the region picture for each doubling of the size


def draw_shares(path: Path, data: Sequence[Values]) -> None:
    """Write each class's share of the pixels as bars on a logarithmic scale; of two data sets one below the other."""
    classes = [values["classes"] for values in data]
    count, thick = len(classes[0]), 0.8 / len(data)
    figure = new_figure(8.5, (0.3 + 0.14 * len(data)) * count + 1.3)
    axes = figure.subplots()
    lowest = min([c["share"] for found in classes for c in found if c["share"]] or [0.01])
    left = 10 ** np.floor(np.log10(lowest) - 0.2)
    colors = [np.array(c["color"]) / 255 for c in data[0]["label_map"]["classes"]]
    for number, found in enumerate(classes):
        places = np.arange(count) + thick * (number - (len(data) - 1) / 2)
        hatch = "////" if number else None
        shares = np.array([c["share"] for c in found])
        axes.barh(
            places, np.maximum(shares, left), thick, color=colors, edgecolor="#333333", linewidth=0.6, hatch=hatch
        )
        for place, c in zip(places, found, strict=True):
            text = f"{100 * c['share']:.3g} %, in {100 * c['frame_share']:.0f} % of frames" if c["pixels"] else "absent"
            axes.text(max(c["share"], left) * 1.12, place, text, va="center", fontsize=7.5, color=GREY)
    axes.set_xscale("log")
    axes.set_xlim(left, 40)
    axes.minorticks_off()
    ticks = [10.0**e for e in range(round(np.log10(left)), 1)]
    axes.set_xticks(ticks, [f"{100 * t:g} %" for t in ticks])
    axes.set_yticks(range(count), [c["name"] for c in classes[0]])
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_xlabel("share of the labelled pixels")
    if len(data) > 1:
        axes.set_title(f"above {data[0]['title']}, below (hatched) {data[1]['title']}", fontsize=10, loc="left")
    tidy(axes)
    axes.grid(visible=False, axis="y")
    figure.savefig(path, dpi=_DPI)


def draw_places(path: Path, data: Sequence[Values], places: Sequence[np.ndarray]) -> None:
    """Write where in the picture each class lies: a map a class and data set, darkest where most of its pixels are.

    Args:
        path: the file.
        data: the described data sets.
        places: of each, float64 (rows, columns, C), each class's share of the pixels in each cell.
    """
    present = [c for c in range(places[0].shape[2]) if any(p[..., c].any() for p in places)] or [0]
    across = max(1, 5 // len(data)) * len(data)
    maps = [(c, number) for c in present for number in range(len(data))]
    rows = -(-len(maps) // across)
    figure = new_figure(2.1 * across, 1.4 * rows + 0.3)
    grid = figure.subplots(rows, across, squeeze=False).ravel()
    for axes in grid[len(maps) :]:
        axes.set_axis_off()
    for axes, (c, number) in zip(grid, maps, strict=False):
        found = places[number][..., c]
        axes.imshow(
            found / (found.max() or 1.0), cmap="Blues", vmin=0, vmax=1, aspect=9 / 16 * found.shape[1] / found.shape[0]
        )
        axes.set_xticks([])
        axes.set_yticks([])
        name = data[0]["classes"][c]["name"]
        axes.set_title(name if len(data) == 1 else f"{name}, {'AB'[number]}", fontsize=8.5)
        if not found.any():
            axes.text(0.5, 0.5, "absent", transform=axes.transAxes, ha="center", va="center", fontsize=8, color=GREY)
    if len(data) > 1:
        figure.suptitle(f"A: {data[0]['title']}    B: {data[1]['title']}", fontsize=9)
    figure.savefig(path, dpi=_DPI)


def draw_regions(path: Path, data: Sequence[Values], histograms: Sequence[np.ndarray], edges: np.ndarray) -> None:
    """Write how large the regions are that each class's pixels lie in, as a map of classes by size.

    Args:
        path: the file.
        data: the described data sets.
        histograms: of each, int64 (C, BINS), regions of each size.
        edges: float (BINS + 1,), where the bins begin.
    """
    names = [c["name"] for c in data[0]["classes"]]
    sizes = np.sqrt(edges[:-1] * edges[1:])
    places = np.floor(_STEPS * np.log2(sizes)).astype(int)
    last = max([int(places[np.flatnonzero(h.any(axis=0))[-1]]) for h in histograms if h.any()] or [1]) + 1
    figure = new_figure(4.2 * len(data) + 2.2, 0.32 * len(names) + 1.5)
    panels = figure.subplots(1, len(data), squeeze=False, sharey=True)[0]
    for axes, values, histogram in zip(panels, data, histograms, strict=True):
        pixels = np.zeros((len(names), last))
        for column in range(last):
            pixels[:, column] = (histogram * sizes)[:, places == column].sum(axis=1)
        shares = pixels / np.maximum(1, pixels.sum(axis=1, keepdims=True))
        axes.imshow(shares, cmap="Blues", aspect="auto", vmin=0, vmax=max(0.05, float(shares.max()) * 0.6))
        ticks = [t for t in range(8) if _STEPS * np.log2(10.0**t) <= last]
        axes.set_xticks([_STEPS * np.log2(10.0**t) - 0.5 for t in ticks], [f"{10**t:,}" for t in ticks], fontsize=8)
        axes.set_xlabel("pixels of the region that a pixel lies in")
        axes.set_title(values["title"], fontsize=9)
    panels[0].set_yticks(range(len(names)), names)
    figure.savefig(path, dpi=_DPI)


def draw_colors(path: Path, data: Sequence[Values]) -> None:
    """Write histograms of red, green and blue, those of two data sets over each other."""
    figure = new_figure(9, 2.9)
    highest = 0.0
    panels = figure.subplots(1, 3, sharey=True)
    for channel, (axes, color, name) in enumerate(
        zip(panels, ("#c0392b", "#2e8b57", "#2b6f9e"), ("red", "green", "blue"), strict=True)
    ):
        for number, values in enumerate(data):
            found = np.array(values["color"]["histogram"][channel], np.float64)
            found *= 100 / max(1.0, found.sum())
            found = np.convolve(np.pad(found, 2, mode="edge"), np.full(5, 0.2), mode="valid")
            highest = max(highest, float(found[3:-3].max()))  # what is clipped piles up at the ends
            if number:
                axes.plot(found, color="black", linewidth=1.1, label=values["title"])
            else:
                axes.fill_between(range(256), found, color=color, alpha=0.55, linewidth=0, label=values["title"])
            axes.axvline(
                values["color"]["mean"][channel], color="black" if number else color, linestyle="--", linewidth=1
            )
        axes.set_xlim(0, 255)
        axes.set_xlabel(f"{name} (dashed: mean)")
        tidy(axes)
    panels[0].set_ylim(0, 1.05 * highest or 1.0)
    panels[0].set_ylabel("% of the pixels")
    if len(data) > 1:
        panels[-1].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=_DPI)


def draw_scenes(path: Path, data: Sequence[Values]) -> None:
    """Write what each scene is made of: a bar a scene, cut by its classes' shares, the largest scenes first."""
    chosen = [sorted(values["scenes"], key=lambda s: -s["frames"])[:_MOST_SCENES] for values in data]
    names = [c["name"] for c in data[0]["classes"]]
    colors = [np.array(c["color"]) / 255 for c in data[0]["label_map"]["classes"]]
    figure = new_figure(8.5, 0.27 * sum(map(len, chosen)) + 0.9 * len(data) + 0.25 * -(-len(names) // 6) + 0.4)
    heights = [len(found) + 1 for found in chosen]
    panels = figure.subplots(len(data), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, values, found in zip(panels, data, chosen, strict=True):
        start = np.zeros(len(found))
        for c, color in enumerate(colors):
            width = np.array([scene["shares"][c] for scene in found])
            axes.barh(range(len(found)), width, 0.8, left=start, color=color, label=names[c], edgecolor="none")
            start += width
        axes.set_yticks(range(len(found)), [f"{s['name'] or '(no name)'}, {s['frames']:,}" for s in found], fontsize=8)
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.set_xticks(np.linspace(0, 1, 6), [f"{p} %" for p in range(0, 101, 20)])
        left_out = len(values["scenes"]) - len(found)
        more = f"; {left_out:,} smaller ones are not shown" if left_out else ""
        axes.set_title(f"{values['title']}: scenes and their frames{more}", fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    handles, texts = panels[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    figure.savefig(path, dpi=_DPI)


def draw_together(path: Path, data: Sequence[Values]) -> None:
    """Write which classes are in one frame: of the frames that hold the row's class, how many hold the column's."""
    names = [c["name"] for c in data[0]["classes"]]
    side = 0.46 * min(len(names), 40)
    figure = new_figure((side + 0.4) * len(data) + 1.9, side + 1.9)
    panels = figure.subplots(1, len(data), squeeze=False, sharey=True)[0]
    for axes, values in zip(panels, data, strict=True):
        counts = np.array(values["together"], np.float64)
        share = counts / np.maximum(1, np.diag(counts))[:, None]
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(share.shape) if len(names) <= _ANNOTATED else ():
            text = f"{100 * share[row, column]:.0f}" if counts[row, row] else "–"
            dark = share[row, column] > 0.55
            axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color="white" if dark else "black")
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
        axes.set_title(values["title"], fontsize=9)
    panels[0].set_yticks(range(len(names)), names, fontsize=8)
    panels[0].set_ylabel("of the frames with")
    figure.supxlabel("% that also have", fontsize=9)
    figure.savefig(path, dpi=_DPI)
