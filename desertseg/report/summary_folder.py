"""The folder of `desertseg stats`: numbers, pictures, a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from desertseg.errors import UserError
from desertseg.files import prepare_folder, replacing, write_text
from desertseg.report import summary_plots as plots
from desertseg.report.markdown import render_markdown
from desertseg.report.page import render_page
from desertseg.report.summary import compose_summary


def write_summary(
    out: str | Path,
    values: Mapping[str, Any],
    places: Sequence[np.ndarray],
    regions: Sequence[np.ndarray],
    edges: np.ndarray,
    *,
    overwrite: bool = False,
) -> Path:
    """Write stats.json, places.npz, six pictures, stats.html and stats.md; return the page.

    Args:
        out: the folder; must be empty or new unless `overwrite`.
        values: what stats.json holds, of one or two data sets.
        places: of each, float64 (rows, columns, C), each class's share of the pixels in each cell of the picture.
        regions: of each, int64 (C, BINS), regions of each size.
        edges: float (BINS + 1,), the sizes at which the bins begin.
        overwrite: whether to replace what the folder holds.

    Raises:
        UserError: the folder cannot be written to.
    """
    folder, data = prepare_folder(out, overwrite), values["data"]
    drawn: dict[str, Callable[[Path], None]] = {
        plots.SHARES: lambda path: plots.draw_shares(path, data),
        plots.PLACES: lambda path: plots.draw_places(path, data, places),
        plots.REGIONS: lambda path: plots.draw_regions(path, data, regions, edges),
        plots.COLORS: lambda path: plots.draw_colors(path, data),
        plots.SCENES: lambda path: plots.draw_scenes(path, data),
        plots.TOGETHER: lambda path: plots.draw_together(path, data),
    }
    try:
        for name, draw in drawn.items():
            with replacing(folder / name) as path:
                draw(path)
        with replacing(folder / "places.npz") as path:
            np.savez_compressed(path, *places)
        write_text(folder / "stats.json", dump_json(values))
        document = compose_summary(values, folder)
        write_text(folder / "stats.md", render_markdown(document, folder))
        write_text(folder / "stats.html", render_page(document))
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}; choose another --out") from error
    return folder / "stats.html"


def dump_json(values: Mapping[str, Any]) -> str:
    """Return values as JSON of one line a key, ended by a new line."""
    return json.dumps(values, indent=1, allow_nan=False) + "\n"
